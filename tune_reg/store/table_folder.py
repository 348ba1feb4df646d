"""The folder of one table: which of its files count, which are copies, and which do not belong there.

Folders are synchronized, copied together and brought back from backups. No run may be counted twice for that, and no
run of another study at all. A file that says the same as another one is left out; any other is refused by its name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from tune_reg.errors import StoreError
from tune_reg.storage.paths import StoragePath
from tune_reg.store.identity import (
    KEY,
    STUDY,
    RunIdentity,
    may_be_key,
    metadata_text,
    rows_by_run,
    run_identities,
)
from tune_reg.store.parts import (
    is_compacted_name,
    is_compacted_name_of_0_1,
    parts_of,
    read_parts,
    read_present_parts,
    row_counts,
)
from tune_reg.store.rows import with_every_column
from tune_reg.store.schema import ADDED_LATER, SCHEMAS, TableName

#: How often a folder is listed anew while a running study compacts its parts.
_LISTINGS: Final = 20


@dataclass(frozen=True)
class PartFile:
    """A Parquet file that counts. ``parts``: the rows of each part that it holds, by key."""

    path: StoragePath
    rows: pa.Table
    parts: dict[str, pa.Table]
    compacted: bool


@dataclass(frozen=True)
class LeftOut:
    """A file that does not count, and why, in words."""

    path: StoragePath
    reason: str


@dataclass(frozen=True)
class TableFolder:
    """The files of one table, in the order of their names."""

    files: tuple[PartFile, ...]
    left_out: tuple[LeftOut, ...]


def read_table_folder(folder: StoragePath, table: TableName, hashes: Collection[str]) -> TableFolder:
    """Read every Parquet file of a table and see which count.

    ``hashes``: of the studies whose parts may lie in the folder; empty where this is not known. ``StoreError``, in
    one line, names a file that cannot be read, is of another study, does not fit the table, or holds a run that
    another file holds with other numbers.
    """
    hidden, read = _read(folder)
    left_out = [LeftOut(path, "is a hidden file") for path in hidden]
    named: list[PartFile] = []
    others: list[PartFile] = []
    for path, rows in read.items():
        _refuse_strangers(path, table, rows, hashes)
        compacted = row_counts(rows) is not None
        if compacted:
            parts, right = parts_of(rows), is_compacted_name(path.name)
        else:
            key = metadata_text(rows, KEY)
            right = may_be_key(table, path.stem, rows) if key is None else key == path.stem
            parts = {path.stem if key is None else key: rows}
            if key is None and not right and len(runs := rows_by_run(table, path.stem, rows)) > 1:
                right, parts = True, runs
        (named if right else others).append(PartFile(path, rows, parts, compacted))
    stored: dict[str, PartFile] = {}
    counted = []
    for file in sorted(named, key=_precedence):
        if _is_copy(table, file, stored):
            left_out.append(LeftOut(file.path, f"is a copy of what {_other(file, stored).path.name} holds"))
            continue
        stored |= dict.fromkeys(file.parts, file)
        counted.append(file)
    of_others = [file for file in counted if not file.compacted and len(file.parts) > 1]
    if of_others and table == "robustness" and len(counted) > 1:
        # Its rows do not say of which trial they are, so that they may be those of the other files.
        raise StoreError(f"{of_others[0].path} does not say which runs it holds, beside other files; move it away")
    by_run = _refuse_same_runs(table, counted)
    left_out += [LeftOut(file.path, _reason_to_leave_out(table, file, stored, by_run)) for file in others]
    return TableFolder(
        tuple(sorted(counted, key=lambda file: file.path.name)),
        tuple(sorted(left_out, key=lambda entry: entry.path.name)),
    )


def _read(folder: StoragePath) -> tuple[list[StoragePath], dict[StoragePath, pa.Table]]:
    """The hidden files, and what the others hold.

    A study that runs puts parts together in one file and then removes their own, so a folder that changed in that way
    while it was read is read again.
    """
    paths = _listed(folder)
    for _ in range(_LISTINGS):
        visible = [path for path in paths if not path.name.startswith(".")]
        try:
            read = dict(zip(visible, read_present_parts(visible), strict=True))
        except FileNotFoundError:
            paths = _listed(folder)
            continue
        before, paths = paths, _listed(folder)
        added = set(paths) - set(before)
        if set(before) <= set(paths) and not any(is_compacted_name(path.name) for path in added):
            return [path for path in before if path not in read], read
    visible = [path for path in paths if not path.name.startswith(".")]
    return [path for path in paths if path not in visible], dict(zip(visible, read_parts(visible), strict=True))


def _listed(folder: StoragePath) -> list[StoragePath]:
    return sorted(folder.glob("*.parquet"), key=lambda path: path.name)


def _precedence(file: PartFile) -> tuple[bool, bool, str]:
    """A part stands first in a compacted file, last in a file of its own, which a killed process did not remove."""
    return (not file.compacted, is_compacted_name_of_0_1(file.path.name), file.path.name)


def _refuse_strangers(path: StoragePath, table: TableName, rows: pa.Table, hashes: Collection[str]) -> None:
    for field in SCHEMAS[table]:
        index = rows.schema.get_field_index(field.name)
        if index < 0 and field.name in ADDED_LATER:
            continue
        if index < 0 or rows.schema.field(index).type != field.type:
            state = "missing" if index < 0 else f"{rows.schema.field(index).type} and not {field.type}"
            raise StoreError(f"{path} does not fit table {table} (its column {field.name} is {state}); move it away")
    if is_compacted_name(path.name) and row_counts(rows) is None:
        raise StoreError(f"{path} does not say which runs it holds; bring it back from a copy, or move it away")
    study = metadata_text(rows, STUDY)
    # Where a program wrote a file anew, the metadata may be gone, and it does not say whose it is.
    if hashes and study is not None and study not in hashes:
        raise StoreError(
            f"{path} belongs to another study (its hash is {study}), and none that provenance.json names; move it away"
        )


def _is_copy(table: TableName, file: PartFile, stored: dict[str, PartFile]) -> bool:
    """Whether every part of a file is stored in others with the same rows; ``StoreError`` for other rows."""
    twice = [key for key in file.parts if key in stored]
    for key in twice:
        if not _same(table, file.parts[key], stored[key].parts[key]):
            raise _conflict(file.path, key, stored[key].path)
    if twice and len(twice) < len(file.parts):
        raise StoreError(f"{file.path} holds runs that {stored[twice[0]].path.name} holds too; move one of them away")
    return bool(twice)


def _other(file: PartFile, stored: dict[str, PartFile]) -> PartFile:
    return stored[next(iter(file.parts))]


def _reason_to_leave_out(
    table: TableName, file: PartFile, stored: dict[str, PartFile], by_run: dict[RunIdentity, str]
) -> str:
    """Why a file whose name is none of its run's does not count; ``StoreError`` where that is not certain."""
    parts = dict(file.parts)
    if not file.compacted and metadata_text(file.rows, KEY) is None:
        (run,) = run_identities(table, {file.path.stem: file.rows})
        key = None if run is None else by_run.get(run)
        if key is None and not file.rows.num_rows:
            return "holds no rows, and its name is that of no run"
        if key is None:
            raise StoreError(f"{file.path}: its name is not that of the run that it holds; rename it, or move it away")
        parts = {key: file.rows}
    for key, rows in parts.items():
        if key not in stored:
            name = "name it" if file.compacted else f"name it as {key}.parquet"
            raise StoreError(f"{file.path} holds the run {key}, but not under its name; {name} or move it away")
        if not _same(table, rows, stored[key].parts[key]):
            raise _conflict(file.path, key, stored[key].path)
    return f"is a copy of {stored[next(iter(parts))].path.name}" if parts else "holds no runs"


def _refuse_same_runs(table: TableName, files: list[PartFile]) -> dict[RunIdentity, str]:
    """The key of every run that is stored; ``StoreError`` where two parts hold the same run."""
    file_of = {key: file for file in files for key in file.parts}
    identities = run_identities(table, {key: file.parts[key] for key, file in file_of.items()})
    holders: dict[RunIdentity, tuple[str, PartFile]] = {}
    for (key, file), run in zip(file_of.items(), identities, strict=True):
        if run is None:
            continue
        if run in holders:
            other_key, other = holders[run]
            where = f"{other.path.name}, as {other_key}" if other.compacted else other.path.name
            raise StoreError(f"{file.path} holds as {key} the run that is in {where}; move one of them away")
        holders[run] = (key, file)
    return {run: key for run, (key, _) in holders.items()}


def _same(table: TableName, rows: pa.Table, others: pa.Table) -> bool:
    # As text, since NaN is no number that equals itself.
    return repr(with_every_column(table, rows).to_pylist()) == repr(with_every_column(table, others).to_pylist())


def _conflict(path: StoragePath, key: str, other: StoragePath) -> StoreError:
    return StoreError(f"{path} holds the run {key} with other numbers than {other.name}; move one of them away")
