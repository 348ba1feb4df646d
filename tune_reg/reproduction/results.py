"""The folder of a reproduction: its declaration, and the studies beside it."""

from __future__ import annotations

from analysis.measures.reproduction.declared import FILE, read, to_json
from tune_reg.errors import StoreError
from tune_reg.reproduction.preset import Reproducible, Scale, declaration
from tune_reg.storage.paths import StoragePath, to_path, write_whole


def declare(item: Reproducible, scale: Scale, directory: str | StoragePath) -> StoragePath:
    """Write what is reproduced into ``directory`` and return its path; ``StoreError`` where another one lies there."""
    path = to_path(directory)
    declared = declaration(item, scale)
    if (path / FILE).exists():
        there = read(path)
        if (there.name, there.scale) != (item.name, scale):
            raise StoreError(f"--out {path}: holds {there.name} at scale {there.scale}; choose another")
    elif (path / "study.toml").exists():
        raise StoreError(f"--out {path}: holds a study; choose another")
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_whole(path / FILE, to_json(declared).encode())
    except OSError as error:
        raise StoreError(f"--out {path} cannot be written ({error.strerror}); choose another") from None
    return path
