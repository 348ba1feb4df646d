"""The reference of all columns of the store, as Markdown, made from the typed rows.

``python -m tune_reg.store.reference > docs/columns.md`` writes it anew.
"""

from __future__ import annotations

import sys
from typing import Final

import pyarrow as pa

from tune_reg.store.schema import ADDED_LATER, ROWS, SCHEMA_VERSION, columns

_TYPES: Final = {pa.int64(): "int64", pa.float64(): "float64", pa.string(): "string"}
_HEAD: Final = f"""# Columns of the tables

`python -m tune_reg.store.reference > docs/columns.md` makes this page from `tune_reg/store/schema.py`.

A results directory holds a folder for each of the tables below, `tables/NAME/*.parquet`, which any reader of Parquet
opens; `tune_reg.load(DIR)` gives each as one `pyarrow.Table`. The schema has version {SCHEMA_VERSION}, which stands in
the metadata of each file as `tune_reg.schema`. Accuracies are shares in [0, 1], durations are seconds.

A part is what one finished run wrote, in a file named by the run's key; many small ones are put together as
`compacted-NNNNN.parquet`. All files of a table have the same columns, so that pandas, polars, DuckDB, Spark and
pyarrow datasets read the folder as it is. The metadata of each file carry the hash of the study (`tune_reg.study`)
and the key (`tune_reg.key`), or how many rows each part has (`tune_reg.parts`).

In `trials` and `final`, `params` is JSON, and each hyperparameter of any method of the study also has a column
`param_<name>`, null where a method has none of that name: float64 for numbers, string where one of its values is no
number. Columns marked \\* may be missing in results of an earlier release; take them as null.
"""


def reference() -> str:
    """Every table with its columns: name, type, whether it may be null, and what it holds.

    >>> "| `learning_rate` | float64 | no |" in reference()
    True
    """
    blocks = [_HEAD]
    for table, row in ROWS.items():
        about = (row.__doc__ or "").partition(": ")[2].strip().rstrip(".")
        lines = [
            f"## {table}\n",
            f"One row is {about}.\n",
            "| column | type | may be null | meaning |",
            "| :--- | :--- | :--- | :--- |",
        ]
        for column in columns(row):
            later = r" \*" if column.name in ADDED_LATER else ""
            null = "yes" if column.nullable else "no"
            lines.append(f"| `{column.name}`{later} | {_type(column.type)} | {null} | {column.meaning} |")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _type(kind: pa.DataType) -> str:
    return f"list of {_TYPES[kind.value_type]}" if pa.types.is_list(kind) else _TYPES[kind]


if __name__ == "__main__":
    sys.stdout.write(reference())
