"""What a study will be able to decide, said before it begins."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from tune_reg.decisions import (
    LEVEL,
    POWER,
    difference_floor,
    equivalence_power,
    nominal_levels,
    smallest_difference,
    smallest_margin,
)
from tune_reg.store import Metric, Results, metric_of
from tune_reg.store.rows import from_arrow
from tune_reg.study.plan import StudyPlan


class Spread(NamedTuple):
    """Standard deviation, between seeds, of paired differences of test values, in their unit; and where it is from."""

    deviation: float
    source: str


#: Of accuracies. Of any other metric nothing can be guessed.
GUESS: Final = Spread(0.005, "a guess")


def spread_of(results: Results, source: str) -> Spread | None:
    """The spread that the confirmed runs of a study have, over its methods; None where no method has two pairs.

    Of the largest training set, each method counted by its pairs; of so few test images that all pairs are equal, the
    least that rounding leaves.
    """
    baseline, metric = results.study().get("baseline"), metric_of(results.study())
    rows = [row for row in from_arrow("final", results.final()) if row["state"] == "complete"]
    largest = max((row["fraction"] for row in rows), default=None)
    measured: dict[tuple[str, float | None], dict[int, float]] = {}
    for row in rows:
        value = metric.of_run(row)
        if row["fraction"] == largest and value is not None:
            measured.setdefault((row["regularizer"], row["search_fraction"]), {})[row["seed"]] = value
    squares, degrees = 0.0, 0
    for (name, searched), by_seed in measured.items():
        other = measured.get((str(baseline), searched), {})
        pairs = [by_seed[seed] - other[seed] for seed in by_seed.keys() & other.keys()]
        if name != baseline and pairs:
            mean = math.fsum(pairs) / len(pairs)
            squares += math.fsum((pair - mean) ** 2 for pair in pairs)
            degrees += len(pairs) - 1
    if not degrees or not (squares or metric.is_accuracy):
        return None
    images = max((row["n_test"] or 0 for row in rows), default=0) if metric.is_accuracy else 0
    return Spread(math.sqrt(max(squares / degrees, difference_floor(images or None))), source)


def decidable(plan: StudyPlan, spread: Spread = GUESS) -> list[str]:
    """What difference the plan can decide at which number of seeds, in lines; a warning where it can decide none.

    Nothing where a method stands alone.
    """
    confirm, methods = plan.study.confirm, len(plan.compared)
    if not methods:
        return []
    looks, rounds = confirm.looks, confirm.seeds is None
    most = "1 seed" if looks[-1] == 1 else f"{looks[-1]} seeds"
    levels = nominal_levels(looks, methods) if rounds else (LEVEL / methods,)
    metric = plan.study.metric.metric
    guessed = spread is GUESS and not metric.is_accuracy
    if guessed:  # in standard deviations
        spread = Spread(1.0, "")
    smallest = [smallest_difference(n, spread.deviation, level) for n, level in zip(looks, levels, strict=True)]
    if smallest[-1] >= (1 if metric.is_accuracy else math.inf):
        return [f"warning: {most} can decide nothing; leave confirm.seeds out, or take 5 or more"]
    seeds = f"in rounds of {', '.join(map(str, looks[:-1]))} and {most} until decided" if rounds else f"on {most}"

    def text(difference: float) -> str:
        return f"{difference:.2g} standard deviations" if guessed else _in_unit(difference, metric)

    by = f" by {most} and of {text(smallest[0])} by {looks[0]}" if rounds else ""
    line = f"confirmed {seeds}: in {POWER:.0%} of cases a difference of {text(smallest[-1])} is decided{by}"
    if guessed:
        return [f"{line}; how far paired differences of {metric.words} vary is known once a study of it is confirmed"]
    line += f", if paired differences vary between seeds by {text(spread.deviation)} ({spread.source})"
    if confirm.margin is None:
        return [line]
    shown = equivalence_power(confirm.margin, looks[-1], spread.deviation, levels[-1])
    if shown >= POWER:
        return [line]
    least = smallest_margin(looks[-1], spread.deviation, levels[-1])
    return [
        line,
        f"warning: a margin of {text(confirm.margin)} is shown by {most} in {shown:.0%} of cases where nothing "
        f"differs; one of {text(least)} would be in {POWER:.0%}",
    ]


def _in_unit(difference: float, metric: Metric) -> str:
    if metric.is_accuracy:
        return f"{100 * difference:.2g} points"
    return f"{difference:.2g} {metric.unit or metric.words}"
