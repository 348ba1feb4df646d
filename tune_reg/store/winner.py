"""Which trial of a search wins: one rule, for the search itself and for whoever reads its tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tune_reg.store.metric import metric_of
from tune_reg.store.schema import ExpectedRow, TrialRow


class Candidate(NamedTuple):
    """A complete trial, with what it is judged by."""

    number: int
    value: float  # of the metric on the validation images, larger is better; of accuracies, a share in [0, 1]
    second: float | None = None  # the second objective, larger is better; None where there is one objective


def pick(candidates: Iterable[Candidate], *, images: int) -> int | None:
    """The number of the winning trial, or None where there is no candidate; the first of equals.

    With one objective it is the trial of the highest value. With two, of which the first is the accuracy and a* the
    highest one, it is the best in the second among those with ``accuracy >= a* - sqrt(a* (1 - a*) / images)``: within
    one standard error of the best, which ``images`` validation images cannot tell from it.

    Source: the one-standard-error rule of Breiman, Friedman, Olshen and Stone, Classification and Regression Trees,
    1984, section 3.4.3.

    >>> trials = [Candidate(0, 0.90, 0.2), Candidate(1, 0.89, 0.5), Candidate(2, 0.60, 0.9)]
    >>> pick(trials, images=100)
    1
    >>> pick(trials, images=100_000)
    0
    """
    trials = list(candidates)
    if not trials:
        return None
    best = max(trial.value for trial in trials)
    error = math.sqrt(max(0.0, best * (1 - best)) / images)
    near = [
        trial for trial in trials if trial.value == best or (trial.second is not None and trial.value >= best - error)
    ]
    return min(near, key=lambda t: (-(t.second if t.second is not None else -math.inf), -t.value, t.number)).number


def second_value(row: TrialRow, kind: str) -> float | None:
    """The second objective of a complete trial, from its row: ``kind`` "robust_accuracy" or "epoch_time" (seconds)."""
    if kind == "robust_accuracy" or not row["epochs_trained"]:
        return row["robust_accuracy"]
    return row["wall_s"] / row["epochs_trained"]


def expected_values(rows: Iterable[ExpectedRow], regularizer: str, fraction: float | None) -> dict[int, float]:
    """What the model of one search expects of its trials, by their number. ``rows``: of the table "expected"."""
    return {
        row["trial"]: row["expected_value"]
        for row in rows
        if (row["regularizer"], row["fraction"]) == (regularizer, fraction)
    }


def winner(
    rows: Sequence[TrialRow], study: Mapping[str, Any], expected: Mapping[int, float] | None = None
) -> int | None:
    """The number of the winning trial of one search.

    Where the model of a search that is over says what it ``expected`` of each trial, it is the trial of the best
    expected value, which may have been paused for good; else that which ``pick`` picks among the complete trials.
    ``rows``: of the table "trials", each with a value. ``study``: as plain tables, as ``Results.study`` gives it.
    ``expected``: by the number of the trial.
    """
    metric = metric_of(study)
    if expected:
        return min(expected, key=lambda number: (-metric.score(expected[number]), number))
    kind = study.get("search", {}).get("second_objective", {}).get("kind")
    sign = -1 if kind == "epoch_time" else 1
    candidates = []
    for row in rows:
        second = None if kind is None else second_value(row, kind)
        value = row["value"]
        assert value is not None, "a complete trial has a value"
        candidates.append(Candidate(row["trial"], metric.score(value), None if second is None else sign * second))
    images = rows[0]["n_val"] if rows and kind is not None else None
    return pick(candidates, images=1 if images is None else images)
