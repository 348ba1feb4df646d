"""Writing synthetic studies through the store."""

import json
from pathlib import Path
from typing import Any

import tomli_w

from synthetic_studies.parts import Part, merged
from tune_reg.storage.atomic_file import write_atomic
from tune_reg.store import Store


def write_parts(
    directory: Path,
    parts: list[Part],
    *,
    study: dict[str, Any],
    provenance: dict[str, Any] | None,
    merge: bool = True,
) -> Path:
    """Write a results directory; ``merge`` puts the rows of a regularizer and fraction in one part."""
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(directory / "study.toml", tomli_w.dumps(study).encode())
    if provenance is not None:
        write_atomic(directory / "provenance.json", json.dumps(provenance).encode())
    store = Store(directory, study_hash=(provenance or {}).get("study_hash", "0123abcd"))
    for table, key, rows in merged(parts) if merge else parts:
        store.write(table, key.lstrip("_"), rows)
    return directory
