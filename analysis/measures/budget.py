"""What did each regularizer spend: trials, epochs and time?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from analysis.measures.outcomes import state_counts
from analysis.snapshot import Source, finite, mapping, snapshot
from tune_reg.store import FinalRow, TrialRow


class BudgetRow(NamedTuple):
    """What one regularizer spent: trials by state, epochs and seconds."""

    regularizer: str
    trials: int
    complete: int
    pruned: int
    diverged: int
    failed: int
    search_epochs: int
    search_wall_s: float  # summed over trials, which may have run side by side
    confirmed: int  # runs on fresh seeds, whatever their end
    confirm_epochs: int
    confirm_wall_s: float
    device_s: float  # of both: seconds of a CPU core, or of a GPU where trials had one or a share of one
    device: str  # "core" or "GPU"


def budget(source: Source) -> tuple[BudgetRow, ...]:
    """Trials by state, epochs and seconds of every regularizer."""
    data = snapshot(source)
    resources = mapping(data.study.get("resources"))
    gpus = resources.get("gpus")
    if gpus == "auto":  # what it has become where the study ran
        gpus = mapping(data.provenance.get("resources")).get("gpus")
    device, each = ("GPU", gpus) if gpus else ("core", resources.get("cpus", 1))
    rows = []
    for name in data.regularizers:
        trials = data.trials_of(name)
        runs = [row for row in data.final if row["regularizer"] == name]
        states = state_counts(trials)
        rows.append(
            BudgetRow(
                regularizer=name,
                trials=len(trials),
                complete=states["complete"],
                pruned=states["pruned"],
                diverged=states["diverged"],
                failed=states["failed"],
                search_epochs=sum(row["epochs_trained"] or 0 for row in trials),
                search_wall_s=_seconds(trials),
                confirmed=len(runs),
                confirm_epochs=sum(row["epochs"] or 0 for row in runs),
                confirm_wall_s=_seconds(runs),
                device_s=each * (_seconds(trials) + _seconds(runs)),
                device=device,
            )
        )
    return tuple(rows)


def _seconds(rows: Iterable[TrialRow] | Iterable[FinalRow]) -> float:
    return sum(finite(row["wall_s"] for row in rows))
