"""The Parquet files of a table: one file a part, or one file that holds many parts.

A part is what one finished run wrote, named by the run's key. Thousands of small files take long to read, so parts
are put together in compacted files (``_pack-NNNNN.parquet``), whose metadata says which rows are of which part.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from tune_reg.errors import StoreError, UnreachableError, one_line
from tune_reg.storage.paths import StoragePath, read_all
from tune_reg.store.schema import SCHEMA_VERSION

#: Begins the name of every compacted file; no part has a name that begins so.
COMPACTED_PREFIX: Final = "_pack-"
_ROW_COUNTS: Final = "tune_reg.parts"


def is_compacted(path: StoragePath) -> bool:
    """Whether a Parquet file holds many parts, by its name."""
    return path.name.startswith(COMPACTED_PREFIX)


def compacted_files(folder: StoragePath) -> list[StoragePath]:
    """The compacted files of a table's folder, in the order in which they were written."""
    return sorted(folder.glob(f"{COMPACTED_PREFIX}*.parquet"))


def row_counts_metadata(parts: dict[str, pa.Table]) -> dict[str, bytes]:
    """Schema metadata of a compacted file: how many rows each part has, in the order in which they stand."""
    return {_ROW_COUNTS: json.dumps({key: part.num_rows for key, part in parts.items()}).encode()}


def row_counts(compacted: pa.Table) -> dict[str, int]:
    """How many rows each part of a compacted file has, by the part's key, in the order in which they stand."""
    counts: dict[str, int] = json.loads(compacted.schema.metadata[_ROW_COUNTS.encode()])
    return counts


def part_of(path: StoragePath, key: str) -> pa.Table:
    """The rows of the part ``key`` of a compacted file."""
    rows = read_part(path)
    counts = row_counts(rows)
    before = list(counts)[: list(counts).index(key)]
    return rows.slice(sum(counts[other] for other in before), counts[key])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of several parts as one; a hyperparameter that is a number in one part and text in another becomes text.

    A hyperparameter that a part does not have is null in its rows.
    """
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for column in table.schema:
            types.setdefault(column.name, set()).add(column.type)
    mixed = {name for name, kinds in types.items() if name.startswith("param_") and len(kinds) > 1}
    agreeing = [
        table.cast(pa.schema([c.with_type(pa.string()) if c.name in mixed else c for c in table.schema]))
        for table in tables
    ]
    return pa.concat_tables(agreeing, promote_options="permissive")


def read_part(path: StoragePath) -> pa.Table:
    """One Parquet file of the store; ``StoreError`` where it cannot be read or is of another schema version."""
    return read_parts([path])[0]


def read_parts(paths: Sequence[StoragePath]) -> list[pa.Table]:
    """Many Parquet files of the store at once, as ``read_part`` reads one."""
    try:
        contents = read_all(paths)
    except UnreachableError:
        raise
    except OSError as error:
        raise _unreadable(error.filename, error) from None
    return [_parsed(path, content) for path, content in zip(paths, contents, strict=True)]


def _unreadable(path: StoragePath | str, error: Exception) -> StoreError:
    return StoreError(
        f"{path} cannot be read as Parquet ({one_line(error)}); bring it back from a copy, "
        "or move it away to go on without"
    )


def _parsed(path: StoragePath, content: bytes) -> pa.Table:
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from None
    version = int((table.schema.metadata or {}).get(b"tune_reg.schema", b"0"))
    if version != SCHEMA_VERSION:
        rule = f"this tune-reg reads version {SCHEMA_VERSION}: use the release that wrote it"
        raise StoreError(f"{path} has schema version {version}; {rule}")
    return table
