"""What the study spent, from its tables."""

from __future__ import annotations

from typing import NamedTuple

from analysis.tables import Row, Source, finite, mapping, snapshot


class BudgetRow(NamedTuple):
    """What one regularizer spent."""

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
    device, each = ("GPU", resources["gpus"]) if resources.get("gpus") else ("core", resources.get("cpus", 1))
    rows = []
    for name in data.regularizers:
        trials = [row for row in data.trials if row["regularizer"] == name]
        runs = [row for row in data.final if row["regularizer"] == name]
        states = [row["state"] for row in trials]
        rows.append(
            BudgetRow(
                regularizer=name,
                trials=len(trials),
                complete=states.count("complete"),
                pruned=states.count("pruned"),
                diverged=states.count("diverged"),
                failed=states.count("failed"),
                search_epochs=_epochs(trials, "epochs_trained"),
                search_wall_s=_seconds(trials),
                confirmed=len(runs),
                confirm_epochs=_epochs(runs, "epochs"),
                confirm_wall_s=_seconds(runs),
                device_s=each * (_seconds(trials) + _seconds(runs)),
                device=device,
            )
        )
    return tuple(rows)


def _epochs(rows: list[Row], column: str) -> int:
    return sum(row[column] or 0 for row in rows)


def _seconds(rows: list[Row]) -> float:
    return sum(finite(row["wall_s"] for row in rows))
