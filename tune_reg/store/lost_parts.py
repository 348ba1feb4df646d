"""Parts that the tables must hold and do not: files that were deleted, or that a copy did not bring back.

A finished run is written in this order: its epochs, its robustness tests, its row in ``trials`` or ``final``, the
journal. So each of these says that those before it must be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from tune_reg.store.schema import TableName
from tune_reg.store.table_folder import PartFile

_ON_A_SEED: Final = re.compile(r"(.*-trial-\d{5,})-seed-\d+")
#: The column that says how many epochs a run trained.
_EPOCHS: Final[Mapping[TableName, str]] = {"trials": "epochs_trained", "final": "epochs"}


class PartFacts(NamedTuple):
    """What is asked of a part here: its rows and, where it is the row of a run, its state and its epochs."""

    rows: int
    state: str | None = None
    epochs: int | None = None


class LostPart(NamedTuple):
    """A part that was lost: of which table, and under which key."""

    table: TableName
    key: str

    def __str__(self) -> str:
        return f"tables/{self.table} has lost {self.key}"


#: The facts of every part, by table and key.
Facts = dict[TableName, dict[str, PartFacts]]


def part_facts(table: TableName, files: Iterable[PartFile]) -> dict[str, PartFacts]:
    """The facts of the parts that files of a table hold, by key."""
    facts: dict[str, PartFacts] = {}
    for file in files:
        rows: list[dict[str, Any]] = []
        if table in _EPOCHS:
            rows = file.rows.select(["state", _EPOCHS[table]]).to_pylist()
        begin = 0
        for key, part in file.parts.items():
            row = rows[begin] if rows and part.num_rows else {}
            facts[key] = PartFacts(part.num_rows, row.get("state"), row.get(_EPOCHS.get(table, "")))
            begin += part.num_rows
    return facts


def lost_parts(facts: Facts, over: Iterable[str]) -> Iterator[LostPart]:
    """The parts that were lost. ``over``: the keys of the trials that are over, as the journal has it.

    The epochs of a run that failed are not asked for: it would fail again.
    """
    yield from (LostPart("trials", key) for key in sorted(over) if key not in facts["trials"])
    trained = epochs_of_trials(facts["epochs"])
    for key, trial in sorted(facts["trials"].items()):
        if trial.state != "failed" and trained.get(key, 0) != (trial.epochs or 0):
            yield LostPart("epochs", key)
    for key, run in sorted(facts["final"].items()):
        if run.state != "failed" and has_lost_epochs(facts, key):
            yield LostPart("epochs", key)
        if run.state == "complete" and key not in facts["robustness"]:
            yield LostPart("robustness", key)


def has_lost_epochs(facts: Facts, key: str) -> bool:
    """Whether the epochs of a confirmed run are not all there."""
    epochs = facts["epochs"].get(key)
    return (0 if epochs is None else epochs.rows) != (facts["final"][key].epochs or 0)


def epochs_of_trials(epochs: Mapping[str, PartFacts]) -> dict[str, int]:
    """How many epochs of each run the table ``epochs`` holds; those of a trial over all its seeds.

    >>> epochs_of_trials({"l1-at-1-trial-00000": PartFacts(2), "l1-at-1-trial-00000-seed-2": PartFacts(1)})
    {'l1-at-1-trial-00000': 3}
    """
    counts: dict[str, int] = {}
    for key, part in epochs.items():
        on_a_seed = _ON_A_SEED.fullmatch(key)
        base = on_a_seed[1] if on_a_seed else key
        counts[base] = counts.get(base, 0) + part.rows
    return counts
