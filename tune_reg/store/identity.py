"""Whose part a Parquet file is: of which study, under which key, and of which run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import pyarrow as pa

from tune_reg.store.schema import TableName

#: Entries of a file's Parquet metadata: the hash of the study and, of a file that holds one part, its key.
STUDY: Final = b"tune_reg.study"
KEY: Final = b"tune_reg.key"

#: What tells one run from all others.
RunIdentity: TypeAlias = tuple[Any, ...]

_IDENTITY: Final[Mapping[TableName, tuple[str, ...]]] = {
    "trials": ("regularizer", "fraction", "images_per_class", "trial"),
    "expected": ("regularizer", "fraction", "images_per_class"),
    "epochs": ("regularizer", "stage", "search_fraction", "fraction", "images_per_class", "trial", "seed"),
    "final": ("regularizer", "search_fraction", "fraction", "images_per_class", "trial", "seed"),
    "robustness": ("regularizer", "search_fraction", "fraction", "images_per_class", "seed"),
    "decisions": ("regularizer", "search_fraction", "fraction", "images_per_class"),
}
#: Tables whose parts are not of one trial, or whose rows do not say of which.
_WITHOUT_TRIAL: Final = ("expected", "robustness", "decisions")
_TRIAL: Final = re.compile(r"-trial-(\d{5,})-seed-")
_KEY_0_1: Final = re.compile(r".+-at-.+-trial-\d{5,}(-seed-\d+)?")


def study_hashes(provenance: object) -> frozenset[str]:
    """The hashes under which a results directory was written: of its study and of those that it grew from.

    Empty where the provenance does not tell.

    >>> sorted(study_hashes({"study_hash": "b", "grown_from": [{"study_hash": "a"}]}))
    ['a', 'b']
    """
    if not isinstance(provenance, Mapping) or not isinstance(provenance.get("study_hash"), str):
        return frozenset()
    earlier = provenance.get("grown_from")
    entries = [entry for entry in earlier if isinstance(entry, Mapping)] if isinstance(earlier, list) else []
    return frozenset({provenance["study_hash"], *(str(entry.get("study_hash")) for entry in entries)})


def metadata_text(rows: pa.Table, name: bytes) -> str | None:
    """An entry of a file's Parquet metadata, or None where it has none of that name."""
    text: bytes | None = (rows.schema.metadata or {}).get(name)
    return None if text is None else text.decode(errors="replace")


def run_identities(table: TableName, parts: Mapping[str, pa.Table]) -> list[RunIdentity | None]:
    """Which run each part holds, by its first row; None for a part without rows, or one that does not tell.

    ``parts``: by key. Rows of the table ``robustness`` do not say of which trial they are, so the key is asked.
    """
    names = _IDENTITY[table]
    heads = [
        part.slice(0, 1).select([name for name in names if name in part.column_names]).replace_schema_metadata()
        for part in parts.values()
        if part.num_rows
    ]
    rows = iter(pa.concat_tables(heads, promote_options="default").to_pylist() if heads else [])
    identities: list[RunIdentity | None] = []
    for key, part in parts.items():
        row = next(rows) if part.num_rows else {}
        identity = tuple(row.get(name) for name in names)
        if table == "robustness":
            trial = _TRIAL.search(key)
            identity += (trial and trial[1],)
        tells = row.get("regularizer") is not None and (row.get("trial") is not None or table in _WITHOUT_TRIAL)
        identities.append(identity if tells else None)
    return identities


def rows_by_run(table: TableName, name: str, rows: pa.Table) -> dict[str, pa.Table]:
    """The rows of each run, where another program wrote those of several into one file; ``name``: of the file.

    Empty where the rows do not tell of which run they are.
    """
    names = _IDENTITY[table]
    if not set(names) <= set(rows.column_names):
        return {}
    places: dict[tuple[object, ...], list[int]] = {}
    for place, row in enumerate(rows.select(list(names)).to_pylist()):
        places.setdefault(tuple(row.values()), []).append(place)
    return {f"{name}, run {number}": rows.take(chosen) for number, chosen in enumerate(places.values())}


def may_be_key(table: TableName, name: str, part: pa.Table) -> bool:
    """Whether ``name`` is what release 0.1, whose parts do not carry their key, called a part with these rows."""
    if not _KEY_0_1.fullmatch(name):
        return False
    row = part.slice(0, 1).to_pylist()[0] if part.num_rows else {}
    if row.get("fraction") is None:
        return True  # its rows do not tell
    per_class = row.get("images_per_class")
    size = f"{row['fraction']:.12g}" if per_class is None else f"{per_class}-a-class"
    tail = rf"-at-{re.escape(size)}-trial-" + ("\\d{5,}" if row.get("trial") is None else f"{row['trial']:05d}")
    if table == "trials" or row.get("stage") == "search":
        pattern = tail + (r"(-seed-\d+)?" if table == "epochs" else "")
    else:
        searched = row["search_fraction"]
        as_fraction = per_class is None and searched is not None
        pattern = f"-from-{re.escape(f'{searched:.12g}') if as_fraction else '.+'}{tail}-seed-{row['seed']}"
    return re.fullmatch(re.escape(str(row["regularizer"])) + pattern, name) is not None
