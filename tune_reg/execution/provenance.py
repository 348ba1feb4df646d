"""Where results come from: code, package versions, data, hardware, command, methods. Written to ``provenance.json``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from search_spaces import Domain, SearchSpace, Value, entry_to_table
from search_spaces.conditional import Condition
from tune_reg.data import Dataset
from tune_reg.execution.changes import changes
from tune_reg.execution.code_digests import code_digests
from tune_reg.regularizers import regularizer
from tune_reg.storage.paths import StoragePath, write_whole
from tune_reg.store import Results
from tune_reg.store.seal import sealed_json
from tune_reg.study import ResourceSettings, StudyPlan
from tune_reg.study.plan import trainings
from tune_reg.version import __version__

_PACKAGES: Final = ("ray", "optuna", "torch", "torchvision", "numpy", "scipy", "pyarrow", "foolbox")


def write_provenance(directory: StoragePath, provenance: Mapping[str, Any]) -> None:
    """Write where the results come from, when a study first runs, when it has grown, and when something has changed.

    ``grown_from`` names what the directory held before: the hash, the command and the commit of each. ``changes`` says
    what was otherwise before.
    """
    written = dict(provenance)
    before = Results(directory).provenance()
    if before:
        changed = [change.to_plain() for change in changes(before, provenance)]
        grown = before["study_hash"] != provenance["study_hash"]
        if not (grown or changed):
            return
        earlier = {"study_hash": before["study_hash"], "argv": before["argv"], "commit": before["code"]["commit"]}
        written |= {"resources": before["resources"]} if "resources" in before else {}
        lists = {
            "grown_from": [*before.get("grown_from", []), *([earlier] if grown else [])],
            "changes": [*before.get("changes", []), *changed],
        }
        written |= {name: entries for name, entries in lists.items() if entries}
    write_whole(directory / "provenance.json", sealed_json(written).encode())


def write_resources(directory: StoragePath, resources: ResourceSettings) -> None:
    """Note what a trial gets, as ``resources``: with the numbers that "auto" has become where the study runs.

    ``lanes`` is "auto" there where each GPU's worker measures them.
    """
    before = Results(directory).provenance()
    now = {"gpus": resources.gpus, "lanes": resources.lanes}
    if before.get("resources") != now:
        write_whole(directory / "provenance.json", sealed_json({**before, "resources": now}).encode())


def make_provenance(
    plan: StudyPlan,
    dataset: Dataset | None,
    plugins: Sequence[Path] = (),
    *,
    citations: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Where results come from that are made now.

    ``dataset``: None where a trainer of the user's brings its own. ``citations``: what is cited for, and its BibTeX, of
    everything that the study uses beside its regularizers.
    """
    study = plan.study
    return {
        "study_hash": study.hash,
        "command": "tune-reg run study.toml --out DIR",
        "argv": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "versions": {"python": platform.python_version(), **_versions()},
        "hardware": _hardware(),
        "data": {"n_train": study.n_train} if dataset is None else _data(dataset),
        "plugins": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in plugins},
        "code": {"version": __version__, "commit": _commit()},
        "digests": code_digests(study).to_plain(),
        "regularizers": {
            task.regularizer: {
                **_method_facts(task.parts or task.regularizer, task.space),
                "trials": trainings(task, plan.tasks),
                "passes": task.passes,
            }
            for task in plan.tasks
        },
        "citations": [{"method": method, "bibtex": bibtex} for method, bibtex in citations],
    }


def _data(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "md5": dataset.md5,
        "n_train": len(dataset.train_labels),
        "n_test": len(dataset.test_labels),
        "classes": dataset.classes,
    }


def _method_facts(name: str, space: SearchSpace) -> dict[str, Any]:
    kind = regularizer(name)
    tables = {key: _table(entry, space.conditions.get(key)) for key, entry in space.items()}
    priors = {key: {"usual": prior.usual, "spread": prior.spread} for key, prior in space.priors.items()}
    facts = {"formula": kind.formula, "reference": kind.reference, "strength": kind.strength}
    # The tables of this file are sorted; the order of the hyperparameters is that of the search.
    return {**facts, "space": tables, "order": list(space), "priors": priors}


def _table(entry: Domain | Value, condition: Condition | None) -> dict[str, Any]:
    table = entry_to_table(entry)
    return table if condition is None else {**table, "when": {name: list(wanted) for name, wanted in condition.items()}}


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
    source = Path(__file__).parents[2]
    if not (source / ".git").exists():
        return None
    command = ["git", "-C", str(source), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
