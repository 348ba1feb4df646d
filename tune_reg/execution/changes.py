"""What has changed since the runs of a results directory were made: code, versions. Refused by name, or noted.

A change that decides numbers (the user's model, regularizers and spaces; torch) is accepted where no run has succeeded
with what it changes: then nothing is averaged with it, and a study whose code was mended goes on. Otherwise the study
is refused, unless the user says that the numbers stay the same. All other changes are only noted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tune_reg.errors import StoreError
from tune_reg.execution.study_run import checkpoint_directory, is_run_of
from tune_reg.storage.paths import StoragePath
from tune_reg.store import Results
from tune_reg.training import checkpoint as checkpoints

_SUCCEEDED: Final = ("complete", "pruned", "diverged")


@dataclass(frozen=True)
class Change:
    """Something that is otherwise than when the directory was written. ``methods``: whose numbers it decides."""

    what: str
    before: str
    now: str
    methods: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, str]:
        """The change as an entry of ``provenance.json``."""
        return {"what": self.what, "before": self.before, "now": self.now}

    def __str__(self) -> str:
        return f"{self.what} ({_short(self.before)} before, {_short(self.now)} now)"


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """What differs between two provenances; nothing where the earlier one is of a release without digests.

    >>> old = {"digests": {"model": "a"}, "versions": {"torch": "2.14.0", "numpy": "2.0"}}
    >>> new = {"digests": {"model": "b"}, "versions": {"torch": "2.14.0+cpu", "numpy": "2.1"}, "regularizers": ["l1"]}
    >>> [(str(change), change.methods) for change in changes(old, new)]
    [('the model (a before, b now)', ('l1',)), ('numpy (2.0 before, 2.1 now)', ()), \
('torch (2.14.0 before, 2.14.0+cpu now)', ())]
    """
    return list(_changes(before, now)) if "digests" in before else []


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    old, new = before["digests"], now["digests"]
    every = tuple(now["regularizers"])
    yield from _change("the model", old, new, "model", every)
    yield from _change("the trainer", old, new, "trainer", every)
    yield from _change("the data set function", old, new, "dataset")  # its data are compared themselves
    for kind, what in (("regularizers", "the code of"), ("spaces", "the space of")):
        for name in every:
            yield from _change(f"{what} {name}", old.get(kind, {}), new.get(kind, {}), name, (name,))
    versions = before.get("versions", {}), now.get("versions", {})
    for package in sorted({*versions[0], *versions[1]}):
        release = [str(version.get(package)).partition("+")[0] for version in versions]
        decides = package == "torch" and release[0] != release[1]
        yield from _change(package, *versions, package, every if decides else ())
    yield from _change("tune-reg", before.get("code", {}), now.get("code", {}), "version")


def _change(
    what: str, old: Mapping[str, Any], new: Mapping[str, Any], key: str, methods: tuple[str, ...] = ()
) -> Iterator[Change]:
    if key in old and key in new and old[key] != new[key]:
        yield Change(what, str(old[key]), str(new[key]), methods)


def refuse_or_accept(directory: StoragePath, found: Collection[Change], *, accept_changes: bool = False) -> list[str]:
    """What is to be told of changes, a line each; ``StoreError`` where a run has succeeded with what was changed.

    ``accept_changes``: the user says that the numbers stay the same. Checkpoints of unfinished runs with code that has
    changed are removed, so that none of them is trained with one half of each.
    """
    deciding = [change for change in found if change.methods]
    succeeded = _succeeded(Results(directory)) if deciding else set()
    refused = [change for change in deciding if succeeded & set(change.methods)]
    if refused and not accept_changes:
        raise StoreError(
            f"--out {directory}: changed since runs succeeded there: {', '.join(map(str, refused))}; bring it back, "
            "choose another directory, or give --accept-changes where the numbers stay the same"
        )
    if deciding:
        _remove_checkpoints(directory, {name for change in deciding for name in change.methods})
    noted = [change for change in found if not change.methods]
    return [
        f"changed since {directory} was written{how}: {', '.join(map(str, some))}"
        for how, some in ((", and taken as it is now", deciding), ("", noted))
        if some
    ]


def _succeeded(results: Results) -> set[str]:
    """The methods of which a run has come to a result, also if only on one of the seeds of a trial, or to a pause."""
    trials = results.trials().select(["regularizer", "state", "fraction", "trial"]).to_pylist()
    rows = [*trials, *results.final().select(["regularizer", "state"]).to_pylist()]
    methods = {row["regularizer"] for row in rows if row["state"] in _SUCCEEDED}
    # A trial that is not over has epochs in the store where it ended on one of its seeds, or was paused.
    ended = {(row["regularizer"], row["fraction"], row["trial"]) for row in trials}
    epochs = results.epochs().select(["regularizer", "fraction", "trial", "stage"]).to_pylist()
    stored = {(row["regularizer"], row["fraction"], row["trial"]) for row in epochs if row["stage"] == "search"}
    return methods | {name for name, *_ in stored - ended}


def _remove_checkpoints(directory: StoragePath, methods: Collection[str]) -> None:
    stored = {path.stem for path in (directory / "tables" / "final").glob("*.parquet")}
    for folder in (directory / "checkpoints").glob("*"):
        if folder.name not in stored and any(is_run_of(folder.name, name) for name in methods):
            checkpoints.remove(checkpoint_directory(directory, folder.name))


def _short(digest: str) -> str:
    return digest if len(digest) < 16 or not digest.isalnum() else digest[:8]
