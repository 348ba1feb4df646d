"""The writer of a store: one part for each finished run, whole or absent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, overload

import pyarrow as pa
import pyarrow.parquet as pq

from tune_reg.storage.paths import StoragePath, write_whole
from tune_reg.store.identity import KEY, study_hashes
from tune_reg.store.lost_parts import Facts, part_facts
from tune_reg.store.parts import (
    concatenated,
    is_compacted_name,
    is_compacted_name_of_0_1,
    next_compacted_name,
    parts_of,
    read_part,
    read_parts,
    row_counts_metadata,
)
from tune_reg.store.reader import Results
from tune_reg.store.rows import from_arrow, joined, parameters_of_table, parameters_of_values, to_arrow, with_schema
from tune_reg.store.schema import (
    SCHEMA_VERSION,
    TABLES,
    DecisionRow,
    EpochRow,
    ExpectedRow,
    FinalRow,
    ParameterKind,
    RobustnessRow,
    TableName,
    TrialRow,
)
from tune_reg.store.seal import sealed_table
from tune_reg.store.table_folder import PartFile, TableFolder, read_table_folder


class Store:
    """Writes the tables of one results directory. Only one process writes at a time.

    ``parameters``: the hyperparameters of all methods of the study, so that every part of a table has the same
    columns; parts that were written before the study had them are written anew. ``StoreError``, in one line, names a
    file in the folder of a table that no run of the study wrote.
    """

    def __init__(
        self, directory: StoragePath, *, study_hash: str, parameters: Mapping[str, ParameterKind] | None = None
    ) -> None:
        self.directory = directory
        self._metadata = {"tune_reg.schema": str(SCHEMA_VERSION), "tune_reg.study": study_hash}
        earlier = study_hashes(Results(directory).provenance())
        self._hashes = earlier | {study_hash} if earlier else earlier
        #: The facts of every stored part, by table and key.
        self.facts: Facts = {}
        self._parameters: dict[TableName, dict[str, ParameterKind]] = {}
        self._separate: dict[TableName, set[str]] = {}  # the keys of the parts that have a file of their own
        self._compacted: dict[TableName, dict[str, StoragePath]] = {}
        for table in TABLES:
            folder = self._folder(table)
            folder.mkdir(parents=True, exist_ok=True)
            self._parameters[table] = dict(parameters or {})
            self._bring_up_to_date(table)

    @overload
    def write(self, table: Literal["trials"], key: str, rows: Sequence[TrialRow], **metadata: str) -> None: ...
    @overload
    def write(self, table: Literal["expected"], key: str, rows: Sequence[ExpectedRow], **metadata: str) -> None: ...
    @overload
    def write(self, table: Literal["epochs"], key: str, rows: Sequence[EpochRow], **metadata: str) -> None: ...
    @overload
    def write(self, table: Literal["final"], key: str, rows: Sequence[FinalRow], **metadata: str) -> None: ...
    @overload
    def write(self, table: Literal["robustness"], key: str, rows: Sequence[RobustnessRow], **metadata: str) -> None: ...
    @overload
    def write(self, table: Literal["decisions"], key: str, rows: Sequence[DecisionRow], **metadata: str) -> None: ...
    def write(self, table: TableName, key: str, rows: Sequence[Mapping[str, Any]], **metadata: str) -> None:
        """Store ``rows`` as the part ``key`` of ``table``; a part of that key is replaced as a whole.

        Columns that a row does not give are null; ``KeyError`` for a column that the table lacks. ``metadata`` is
        kept with the part.
        """
        if key.startswith(("_", ".")) or is_compacted_name(f"{key}.parquet"):
            raise ValueError(f"a part cannot be named {key!r}: readers of Parquet take it for something else")
        parameters = joined(self._parameters[table], parameters_of_values(row.get("params") or {} for row in rows))
        kept = {f"tune_reg.{name}": value for name, value in metadata.items()}
        part = to_arrow(table, rows, parameters, {**self._metadata, **kept, KEY.decode(): key})
        if parameters != self._parameters[table]:
            # A space that is a function can return a name that it returned in no try.
            self._parameters[table] = parameters
            self._bring_up_to_date(table)
        self._drop_compacted(table, key)
        self._write_file(self._path(table, key), part)
        self._separate[table].add(key)
        self.facts[table] |= part_facts(table, [PartFile(self._path(table, key), part, {key: part}, False)])

    def compact(self, table: TableName, keys: Collection[str]) -> None:
        """Put the parts ``keys`` of a table together in one file; to read thousands of small files takes long.

        A compacted part is read as before; to write or drop it, its file is written anew.
        """
        separate = sorted(self._separate[table] & set(keys))
        parts = dict(zip(separate, read_parts([self._path(table, key) for key in separate]), strict=True))
        if not parts:
            return
        metadata = {**self._metadata, **row_counts_metadata(parts)}
        path = self._write_compacted(table, concatenated(list(parts.values())).replace_schema_metadata(metadata))
        for key in parts:
            self._path(table, key).unlink()
            self._separate[table].remove(key)
            self._compacted[table][key] = path

    def has(self, table: TableName, key: str) -> bool:
        """Whether the part ``key`` of ``table`` is stored."""
        return key in self._compacted[table] or key in self._separate[table]

    def keys(self, table: TableName) -> set[str]:
        """The keys of the parts of ``table``."""
        return set(self._compacted[table]) | self._separate[table]

    def uncompacted_keys(self, table: TableName) -> set[str]:
        """The keys of the parts of ``table`` that have a file of their own."""
        return set(self._separate[table])

    @overload
    def rows(self, table: Literal["trials"], key: str) -> list[TrialRow]: ...
    @overload
    def rows(self, table: Literal["expected"], key: str) -> list[ExpectedRow]: ...
    @overload
    def rows(self, table: Literal["epochs"], key: str) -> list[EpochRow]: ...
    @overload
    def rows(self, table: Literal["final"], key: str) -> list[FinalRow]: ...
    @overload
    def rows(self, table: Literal["robustness"], key: str) -> list[RobustnessRow]: ...
    @overload
    def rows(self, table: Literal["decisions"], key: str) -> list[DecisionRow]: ...
    def rows(self, table: TableName, key: str) -> Any:
        """The rows of the part ``key`` of ``table``, as they were given to ``write``."""
        compacted = self._compacted[table].get(key)
        return from_arrow(
            table, read_part(self._path(table, key)) if compacted is None else parts_of(read_part(compacted))[key]
        )

    def metadata(self, table: TableName, key: str, name: str) -> str | None:
        """What ``write`` was given as ``metadata`` under ``name`` for the part ``key``, or None."""
        kept = read_part(self._path(table, key)).schema.metadata.get(f"tune_reg.{name}".encode())
        return None if kept is None else str(kept.decode())

    def drop(self, table: TableName, key: str) -> None:
        """Remove the part ``key`` of ``table``, if it is stored."""
        self._drop_compacted(table, key)
        self._path(table, key).unlink(missing_ok=True)
        self._separate[table].discard(key)
        self.facts[table].pop(key, None)

    def trial_rows(self) -> dict[str, TrialRow]:
        """The row of every trial, by its key."""
        folder = read_table_folder(self._folder("trials"), "trials", self._hashes)
        parts = {key: part for file in folder.files for key, part in file.parts.items() if part.num_rows}
        rows = from_arrow("trials", concatenated([part.slice(0, 1) for part in parts.values()])) if parts else []
        return dict(zip(parts, rows, strict=True))

    def epoch_rows(self, begins: str) -> dict[str, list[EpochRow]]:
        """The epochs of every run whose key begins so, by its key."""
        folder = read_table_folder(self._folder("epochs"), "epochs", self._hashes)
        return {
            key: from_arrow("epochs", part)
            for file in folder.files
            for key, part in file.parts.items()
            if key.startswith(begins)
        }

    def _drop_compacted(self, table: TableName, key: str) -> None:
        """Write the compacted file of a part anew without it."""
        path = self._compacted[table].pop(key, None)
        if path is None:
            return
        rows = read_part(path)
        parts = {other: part for other, part in parts_of(rows).items() if other != key}
        if parts:
            counts = {name.encode(): value.encode() for name, value in row_counts_metadata(parts).items()}
            metadata = {**rows.schema.metadata, **counts}
            self._write_file(path, concatenated(list(parts.values())).replace_schema_metadata(metadata))
        else:
            path.unlink()

    def _bring_up_to_date(self, table: TableName) -> None:
        """Give every stored part of ``table`` the columns of the study and the names of this release.

        Each file is whole before and after, so that a process that is killed here loses nothing.
        """
        folder = read_table_folder(self._folder(table), table, self._hashes)
        stored = [parameters_of_table(file.rows) for file in folder.files]
        parameters = self._parameters[table] = joined(self._parameters[table], *stored)
        self._separate[table] = set()
        self._compacted[table] = {}
        self.facts[table] = part_facts(table, folder.files)
        for file in folder.files:
            rows = with_schema(table, file.rows, parameters)
            path = file.path
            if is_compacted_name_of_0_1(path.name):
                path = self._write_compacted(table, rows)
                file.path.unlink()
            elif file.compacted:
                if rows.schema != file.rows.schema:
                    self._write_file(path, rows)
            else:
                (key,) = file.parts
                rows = rows.replace_schema_metadata({**rows.schema.metadata, KEY: key.encode()})
                if not rows.schema.equals(file.rows.schema, check_metadata=True):
                    self._write_file(path, rows)
                self._separate[table].add(key)
            if file.compacted:
                self._compacted[table] |= dict.fromkeys(file.parts, path)
        self._remove_what_a_kill_left(table, folder)

    def _remove_what_a_kill_left(self, table: TableName, folder: TableFolder) -> None:
        """Remove files whose parts a compacted file holds as well; copies that others made are theirs to remove."""
        for entry in folder.left_out:
            compacted = entry.path.stem in self._compacted[table]
            if compacted or is_compacted_name_of_0_1(entry.path.name):
                entry.path.unlink(missing_ok=True)

    def _write_compacted(self, table: TableName, rows: pa.Table) -> StoragePath:
        folder = self._folder(table)
        path = folder / next_compacted_name(other.name for other in folder.glob("*.parquet"))
        self._write_file(path, rows)
        return path

    def _folder(self, table: TableName) -> StoragePath:
        return self.directory / "tables" / table

    def _path(self, table: TableName, key: str) -> StoragePath:
        return self._folder(table) / f"{key}.parquet"

    @staticmethod
    def _write_file(path: StoragePath, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(sealed_table(table), sink, write_page_checksum=True)
        write_whole(path, sink.getvalue().to_pybytes())
