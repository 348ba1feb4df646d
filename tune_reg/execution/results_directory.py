"""The results directory: who owns it, what study it belongs to, where its results come from."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from filelock import FileLock, Timeout

import tune_reg
from search_spaces import entry_to_plain
from tune_reg.data import Dataset
from tune_reg.errors import StoreError, UnreachableError
from tune_reg.storage.paths import StoragePath, RemotePath, write_whole
from tune_reg.regularizers import regularizer
from tune_reg.storage.lease import Lease, leased
from tune_reg.store import Results
from tune_reg.study import Study

_PACKAGES: Final = ("ray", "optuna", "torch", "torchvision", "numpy", "scipy", "pyarrow", "foolbox")


@contextmanager
def owned(directory: StoragePath) -> Iterator[Lease | None]:
    """Hold a results directory: one run at a time. ``StoreError`` where it cannot be written or is held.

    A folder of this machine is locked by the system, which ends the lock with the process; an object store by a
    ``Lease``, which is given.
    """
    if isinstance(directory, RemotePath):
        with leased(directory) as lease:
            yield lease
        return
    with _locked(directory):
        yield None


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / f".write-test.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StoreError(f"--out {directory}: cannot be written ({error.strerror}); choose another") from None
    lock = FileLock(directory / ".lock")
    holder = directory / ".holder"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
        raise StoreError(f"--out {directory}: in use by {who}; wait for it, or choose another") from None
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def cannot_be_written(directory: StoragePath, reason: str) -> StoreError:
    """What is told where a study under way cannot be written down any more."""
    if isinstance(directory, RemotePath):
        return UnreachableError(str(directory), reason)
    return StoreError(f"{directory} cannot be written ({reason}); make room and give the command again")


def refuse_another_study(directory: StoragePath, study: Study) -> None:
    """``StoreError`` where the directory belongs to another study, other than one that this one grows from."""
    if not (directory / "study.toml").exists():
        return
    differences = _differences(Results(directory).study(), study.to_plain())
    if differences:
        raise StoreError(f"--out {directory}: belongs to another study ({'; '.join(differences)}); choose another")


def claim(directory: StoragePath, study: Study) -> None:
    """Write the study into a directory that is not yet anybody's, or in place of the one that it grows from."""
    path = directory / "study.toml"
    text = study.to_toml().encode()
    if not path.exists() or path.read_bytes() != text:
        write_whole(path, text)


def write_provenance(directory: StoragePath, study: Study, dataset: Dataset, plugins: Sequence[Path] = ()) -> None:
    """Write where the results come from, when a study first runs and when it has grown.

    ``grown_from`` names what the directory held before: the hash, the command and the commit of each.
    """
    path = directory / "provenance.json"
    grown_from: list[dict[str, Any]] = []
    if path.exists():
        before = Results(directory).provenance()
        if before["study_hash"] == study.hash:
            return
        said = {"study_hash": before["study_hash"], "argv": before["argv"], "commit": before["code"]["commit"]}
        grown_from = [*before.get("grown_from", []), said]
    provenance: dict[str, Any] = {
        "study_hash": study.hash,
        "command": "tune-reg run study.toml --out DIR",
        "argv": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "versions": {"python": platform.python_version(), **_versions()},
        "hardware": _hardware(),
        "data": {
            "name": dataset.name,
            "md5": dataset.md5,
            "n_train": len(dataset.train_labels),
            "n_test": len(dataset.test_labels),
        },
        "plugins": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in plugins},
        "code": {"version": tune_reg.__version__, "commit": _commit()},
        "regularizers": {
            task.regularizer: {**_method(task.parts or task.regularizer, task.space), "trials": task.trials}
            for task in study.tasks()
        },
    }
    if grown_from:
        provenance["grown_from"] = grown_from
    write_whole(path, json.dumps(provenance, indent=2, sort_keys=True).encode())


def _method(name: str, space: Mapping[str, Any]) -> dict[str, Any]:
    kind = regularizer(name)
    plain = {key: entry_to_plain(entry) for key, entry in space.items()}
    tables = {
        key: {"choices": value} if isinstance(value, list) else value if isinstance(value, dict) else {"value": value}
        for key, value in plain.items()
    }
    return {"formula": kind.formula, "reference": kind.reference, "strength": kind.strength, "space": tables}


def _versions() -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in _PACKAGES}


def _hardware() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str | None:
    """The commit of a source checkout, or None for an installed package."""
    source = Path(tune_reg.__file__).parents[1]
    if not (source / ".git").exists():
        return None
    command = ["git", "-C", str(source), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


#: What may be more than it was: numbers larger, lists longer.
_MORE: Final = (
    "search.trials",
    "confirm.seeds",
    "fractions",
    "images_per_class",
    "search.fractions",
    "search.images_per_class",
)
#: What may be anything: it changes no run that is done.
_ANY: Final = ("baseline", "resources.", "robustness.")


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The keys that differ between two studies, other than by growth, as ``key: there, here``."""
    old, new = _flat(there), _flat(here)
    known = tuple(f"regularizers.{name}." for name in there.get("regularizers", {}))
    differences = []
    for key in sorted({*old, *new}):
        was, is_now = old.get(key), new.get(key)
        if was == is_now or key.startswith(_ANY) or (key.startswith("regularizers.") and not key.startswith(known)):
            continue
        if key in _MORE and was is not None and is_now is not None:
            if _grows(was, is_now):
                continue
            differences.append(f"{key} is {was!r} there and can only grow, but is {is_now!r} here")
        else:
            differences.append(f"{key} is {old.get(key, 'absent')!r} there and {new.get(key, 'absent')!r} here")
    return differences


def _grows(was: Any, is_now: Any) -> bool:
    return set(was) <= set(is_now) if isinstance(was, list) else bool(was <= is_now)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
