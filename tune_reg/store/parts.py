"""The Parquet files of a table: one file a part, or one file that holds many parts.

A part is what one finished run wrote, named by the run's key. Thousands of small files take long to read, so parts
are put together in compacted files (``compacted-NNNNN.parquet``), whose metadata says which rows are of which part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from tune_reg.errors import StoreError, UnreachableError, one_line
from tune_reg.storage.paths import StoragePath, read_all
from tune_reg.store.schema import SCHEMA_VERSION
from tune_reg.store.seal import unsealed_table

#: Names of compacted files. Release 0.1 began them with ``_``, which Arrow, pandas and Spark take for hidden files.
_COMPACTED: Final = re.compile(r"compacted-(\d{5,})\.parquet")
_COMPACTED_0_1: Final = re.compile(r"_pack-\d{5,}\.parquet")
_ROW_COUNTS: Final = b"tune_reg.parts"


def is_compacted_name(name: str) -> bool:
    """Whether a file of this name holds many parts.

    >>> is_compacted_name("compacted-00001.parquet"), is_compacted_name("_pack-00001.parquet")
    (True, True)
    """
    return _COMPACTED.fullmatch(name) is not None or is_compacted_name_of_0_1(name)


def is_compacted_name_of_0_1(name: str) -> bool:
    """Whether release 0.1 gave this name to a file that holds many parts."""
    return _COMPACTED_0_1.fullmatch(name) is not None


def next_compacted_name(names: Iterable[str]) -> str:
    """The name of the next compacted file of a folder, after those with ``names``.

    >>> next_compacted_name(["compacted-00002.parquet", "a.parquet"])
    'compacted-00003.parquet'
    """
    numbers = [int(match[1]) for name in names if (match := _COMPACTED.fullmatch(name))]
    return f"compacted-{max(numbers, default=0) + 1:05d}.parquet"


def row_counts_metadata(parts: Mapping[str, pa.Table]) -> dict[str, str]:
    """Schema metadata of a compacted file: how many rows each part has, in the order in which they stand."""
    return {_ROW_COUNTS.decode(): json.dumps({key: part.num_rows for key, part in parts.items()})}


def row_counts(rows: pa.Table) -> dict[str, int] | None:
    """How many rows each part of a compacted file has, by the part's key, in the order in which they stand.

    None for a file that says nothing of the kind, as it holds one part.
    """
    text = (rows.schema.metadata or {}).get(_ROW_COUNTS)
    if text is None:
        return None
    counts: dict[str, int] = json.loads(text)
    return counts


def parts_of(compacted: pa.Table) -> dict[str, pa.Table]:
    """The rows of each part of a compacted file, by the part's key; empty for a file that holds one part."""
    begin = 0
    parts = {}
    for key, count in (row_counts(compacted) or {}).items():
        parts[key] = compacted.slice(begin, count)
        begin += count
    return parts


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
        return read_present_parts(paths)
    except FileNotFoundError as error:
        raise _unreadable(error.filename, error) from None


def read_present_parts(paths: Sequence[StoragePath]) -> list[pa.Table]:
    """Many Parquet files of the store at once; ``FileNotFoundError`` where one has gone since it was listed."""
    try:
        contents = read_all(paths)
    except (UnreachableError, FileNotFoundError):
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
        # In this thread alone: a thread of Arrow that still holds ``content`` while Python ends aborts the process.
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None
    try:
        version = int((table.schema.metadata or {}).get(b"tune_reg.schema", b"0"))
        if version == SCHEMA_VERSION:
            table = unsealed_table(table)
        counts = row_counts(table)
    except ValueError as error:
        raise _unreadable(path, error) from None
    if version != SCHEMA_VERSION:
        rule = f"this tune-reg reads version {SCHEMA_VERSION}: use the release that wrote it"
        raise StoreError(f"{path} has schema version {version}; {rule}")
    if counts is not None and (not isinstance(counts, dict) or not _fits(list(counts.values()), table.num_rows)):
        raise StoreError(f"{path} does not hold the rows that its metadata names; bring it back from a copy")
    return table


def _fits(counts: Sequence[object], rows: int) -> bool:
    """Whether a file with so many rows can hold parts with these numbers of rows, as its metadata say."""
    numbers = [count for count in counts if isinstance(count, int) and count >= 0]
    return len(numbers) == len(counts) and sum(numbers) == rows
