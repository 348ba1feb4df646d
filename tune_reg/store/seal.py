"""Seals: digests by which a file tells that it is as it was written, whatever a disk or a copy did to it.

Each file carries its own, so that no second file can be lost or be older. A file of an earlier release has none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

_NAME: Final = "sha256"
#: Of a Parquet file: its pages have checksums, the seal is that of all else.
_OF_PARQUET: Final = b"tune_reg.sha256"
_LAST_LINE: Final = re.compile(r"# sha256: ([0-9a-f]{64})\n")


def sealed_text(text: str) -> str:
    """A text of TOML with its seal as a comment in its last line.

    >>> unsealed_text(sealed_text("a = 1\\n"))
    'a = 1\\n'
    """
    return f"{text}# {_NAME}: {_digest(text)}\n"


def unsealed_text(text: str) -> str:
    """The text without its seal; ``ValueError`` where it is not as it was written."""
    *_, last = text.splitlines(keepends=True) or [""]
    if not last.startswith("#"):
        return text
    before = text[: len(text) - len(last)]
    match = _LAST_LINE.fullmatch(last)
    if match is None or match[1] != _digest(before):
        raise ValueError("it is not as it was written, as the digest in its last line says")
    return before


def sealed_json(values: Mapping[str, Any]) -> str:
    """A table as JSON, with its seal among its values."""
    return json.dumps({**values, _NAME: _digest(_canonical(values))}, indent=2, sort_keys=True)


def unsealed_json(text: str) -> dict[str, Any]:
    """The table without its seal; ``ValueError`` where it is not as it was written.

    A table in one line was written anew by another program, which need not know of the seal, and is taken as it is.
    """
    values: Any = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError(f"it holds {type(values).__name__} in place of a table")  # noqa: TRY004 - the file is wrong
    seal = values.pop(_NAME, None)
    if seal is not None and "\n" in text.strip() and seal != _digest(_canonical(values)):
        raise ValueError(
            f"it is not as it was written, as its digest {_NAME} says; where you changed it yourself, remove that line"
        )
    return values


def sealed_table(rows: pa.Table) -> pa.Table:
    """Rows with a seal of their number, their columns and their metadata."""
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), _OF_PARQUET: _of_table(rows)})


def unsealed_table(rows: pa.Table) -> pa.Table:
    """Rows without their seal; ``ValueError`` where they are not as they were written."""
    metadata = dict(rows.schema.metadata or {})
    seal = metadata.pop(_OF_PARQUET, None)
    rows = rows.replace_schema_metadata(metadata or None)
    if seal is not None and seal != _of_table(rows):
        raise ValueError("it is not as it was written, as the digest in its metadata says")
    return rows


def _of_table(rows: pa.Table) -> bytes:
    metadata = sorted((key.decode(), value.decode()) for key, value in (rows.schema.metadata or {}).items())
    columns = [(field.name, str(field.type)) for field in rows.schema]
    return _digest(json.dumps([rows.num_rows, columns, metadata])).encode()


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
