"""The writer of a store: one part for each finished run, whole or absent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, overload

import pyarrow as pa
import pyarrow.parquet as pq

from tune_reg.storage.paths import StoragePath, write_whole
from tune_reg.store.parts import (
    COMPACTED_PREFIX,
    compacted_files,
    concatenated,
    is_compacted,
    part_of,
    read_part,
    read_parts,
    row_counts,
    row_counts_metadata,
)
from tune_reg.store.rows import from_arrow, to_arrow
from tune_reg.store.schema import SCHEMA_VERSION, TABLES, EpochRow, FinalRow, RobustnessRow, TableName, TrialRow


class Store:
    """Writes the tables of one results directory. Only one process writes at a time."""

    def __init__(self, directory: StoragePath, *, study_hash: str) -> None:
        self.directory = directory
        self._metadata = {"tune_reg.schema": str(SCHEMA_VERSION), "tune_reg.study": study_hash}
        self._compacted: dict[str, dict[str, StoragePath]] = {}
        for table in TABLES:
            folder = self._folder(table)
            folder.mkdir(parents=True, exist_ok=True)
            self._compacted[table] = {
                key: path for path in compacted_files(folder) for key in row_counts(read_part(path))
            }
            for key in self.uncompacted_keys(table) & set(self._compacted[table]):
                # Compacted, but the process was killed before it removed the part's own file.
                self._path(table, key).unlink(missing_ok=True)

    @overload
    def write(self, table: Literal["trials"], key: str, rows: Sequence[TrialRow], **metadata: str) -> None: ...
    @overload
    def write(self, table: Literal["epochs"], key: str, rows: Sequence[EpochRow], **metadata: str) -> None: ...
    @overload
    def write(self, table: Literal["final"], key: str, rows: Sequence[FinalRow], **metadata: str) -> None: ...
    @overload
    def write(self, table: Literal["robustness"], key: str, rows: Sequence[RobustnessRow], **metadata: str) -> None: ...
    def write(self, table: TableName, key: str, rows: Sequence[Mapping[str, Any]], **metadata: str) -> None:
        """Store ``rows`` as the part ``key`` of ``table``; a part of that key is replaced as a whole.

        Columns that a row does not give are null; ``KeyError`` for a column that the table lacks. ``metadata`` is
        kept with the part.
        """
        kept = {f"tune_reg.{name}": value for name, value in metadata.items()}
        self._write_file(self._path(table, key), to_arrow(table, rows, {**self._metadata, **kept}))

    def compact(self, table: TableName, keys: Collection[str]) -> None:
        """Put the parts ``keys`` of a table together in one file; to read thousands of small files takes long.

        A compacted part is read as before, but can neither be written nor dropped any more.
        """
        own_files = sorted(self.uncompacted_keys(table) & set(keys))
        parts = dict(zip(own_files, read_parts([self._path(table, key) for key in own_files]), strict=True))
        if not parts:
            return
        joined = concatenated(list(parts.values()))
        folder = self._folder(table)
        path = folder / f"{COMPACTED_PREFIX}{len(compacted_files(folder)) + 1:05d}.parquet"
        self._write_file(path, joined.replace_schema_metadata({**self._metadata, **row_counts_metadata(parts)}))
        for key in parts:
            self._path(table, key).unlink()
            self._compacted[table][key] = path

    def has(self, table: TableName, key: str) -> bool:
        """Whether the part ``key`` of ``table`` is stored."""
        return key in self._compacted[table] or self._path(table, key).exists()

    def keys(self, table: TableName) -> set[str]:
        """The keys of the parts of ``table``."""
        return set(self._compacted[table]) | self.uncompacted_keys(table)

    def uncompacted_keys(self, table: TableName) -> set[str]:
        """The keys of the parts of ``table`` that have a file of their own."""
        return {path.stem for path in self._folder(table).glob("*.parquet") if not is_compacted(path)}

    @overload
    def rows(self, table: Literal["trials"], key: str) -> list[TrialRow]: ...
    @overload
    def rows(self, table: Literal["epochs"], key: str) -> list[EpochRow]: ...
    @overload
    def rows(self, table: Literal["final"], key: str) -> list[FinalRow]: ...
    @overload
    def rows(self, table: Literal["robustness"], key: str) -> list[RobustnessRow]: ...
    def rows(self, table: TableName, key: str) -> Any:
        """The rows of the part ``key`` of ``table``, as they were given to ``write``."""
        compacted = self._compacted[table].get(key)
        return from_arrow(table, read_part(self._path(table, key)) if compacted is None else part_of(compacted, key))

    def metadata(self, table: TableName, key: str, name: str) -> str | None:
        """What ``write`` was given as ``metadata`` under ``name`` for the part ``key``, or None."""
        kept = read_part(self._path(table, key)).schema.metadata.get(f"tune_reg.{name}".encode())
        return None if kept is None else str(kept.decode())

    def drop(self, table: TableName, key: str) -> None:
        """Remove the part ``key`` of ``table``, if it is stored."""
        self._path(table, key).unlink(missing_ok=True)

    def _folder(self, table: TableName) -> StoragePath:
        return self.directory / "tables" / table

    def _path(self, table: TableName, key: str) -> StoragePath:
        return self._folder(table) / f"{key}.parquet"

    @staticmethod
    def _write_file(path: StoragePath, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_whole(path, sink.getvalue().to_pybytes())
