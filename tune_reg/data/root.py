"""The folders of data sets on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs

from tune_reg.storage.paths import expanded

VARIABLE: Final = "TUNE_REG_DATA"


def cache() -> Path:
    """The user's cache folder, which this package may write: ~/.cache/tune-reg on Linux."""
    return platformdirs.user_cache_path("tune-reg")


def given_root(root: Path | str | None) -> Path | None:
    """The folder that the user names: the argument, else the environment's TUNE_REG_DATA, else None."""
    if root is None:
        root = os.environ.get(VARIABLE) or None
    return None if root is None else expanded(root).absolute()


def search_folders(root: Path | None) -> list[Path]:
    """The folders that data sets are searched in, in order: the root that the user names, then the cache."""
    return [cache()] if root is None or root == cache() else [root, cache()]


def download_target(root: Path | None) -> Path:
    """The folder to download into: the root that the user names if it can be written or made, else the cache."""
    if root is None:
        return cache()
    existing = next((folder for folder in (root, *root.parents) if folder.exists()), root)
    return root if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK) else cache()
