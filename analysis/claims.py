"""The answer in words: what may be claimed from the result table, and what may not."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from analysis import text
from analysis.budget import budget
from analysis.comparisons import ACCURACY, AREA, Compared, comparisons
from analysis.equivalence import MEASURED as WITHIN
from analysis.equivalence import Equivalence, equivalences
from analysis.response import responses, strength_parameter
from analysis.results import ResultRow, result_table
from analysis.robustness import warnings
from analysis.statistics import BCA, CONFIDENCE, STUDENT, Comparison, Estimate, pairs_needed, smallest_p
from analysis.tables import Snapshot, Source, snapshot

MEASURED: Final = "measured"  # a number and no inference
MAY: Final = "may"
MAY_NOT: Final = "may not"
CAUTION: Final = "caution"

LEVEL: Final = 1 - CONFIDENCE


class Claim(NamedTuple):
    """One sentence of the answer."""

    kind: str  # MEASURED, MAY, MAY_NOT or CAUTION
    sentence: str


def claims(source: Source) -> tuple[Claim, ...]:
    """Sentences built from the intervals and the corrected tests.

    A difference may be claimed where the Holm-corrected p is at most 0.05 and the 95 % interval leaves out zero,
    both; and never where strengths were picked on the test set. A gain in robustness may not be claimed where the
    attack's check of itself warned. One family of tests: test accuracy, every attack and the corruptions.
    """
    data = snapshot(source)
    rows = result_table(data)
    compared = [row for row in rows if row.difference is not None]
    found = [*_accuracies(data, rows), *_robust(data)]
    found.sort(key=lambda claim: claim.kind != MAY)
    found = [*_highest(rows), *_measured_worth(data), *found]
    if len(compared) > 1:
        found.append(
            Claim(MAY_NOT, "That one regularizer is better than another, apart from the baseline: that is not tested.")
        )
    found += _power(data)
    found += _cautions(data, rows)
    if rows:
        found.append(Claim(CAUTION, _scope(data)))
    return tuple(found)


def _accuracies(data: Snapshot, rows: tuple[ResultRow, ...]) -> list[Claim]:
    """What may be claimed of test accuracy, one by one; what was not shown in one sentence a training set."""
    found: list[Claim] = []
    chance: dict[str, list[tuple[str, Comparison]]] = {}
    for row in rows:
        own, where = row.difference, f"On {text.data_words(row)}"
        if own is None:
            continue
        pair = f"{row.regularizer} and {data.baseline}"
        if own.low is None or own.high is None or own.p_holm is None:
            alone = f"one seed has no spread to judge by ({_points(own.mean)} points)"
            found.append(Claim(MAY_NOT, f"{where}, that {pair} differ: {alone}."))
            continue
        numbers = (
            f"{_points(own.mean)} points of test accuracy, 95 % interval {_points(own.low)} to {_points(own.high)}, "
            f"{text.count(own.n, 'pair')} of runs, corrected p {_p(own.p_holm)}"
        )
        if own.p_holm > LEVEL or own.low <= 0 <= own.high:
            chance.setdefault(where, []).append((row.regularizer, own))
        elif data.picked_on_test:
            doubt = "but the strengths were picked on this very test set"
            found.append(Claim(MAY_NOT, f"{where}, that {pair} differ: {numbers}, {doubt}."))
        else:
            better = "more" if own.mean > 0 else "less"
            found.append(
                Claim(MAY, f"{where}, {row.regularizer} is {better} accurate than {data.baseline}: {numbers}.")
            )
    return found + [Claim(MAY_NOT, _unshown(data, where, of)) for where, of in chance.items()]


def _unshown(data: Snapshot, where: str, of: list[tuple[str, Comparison]]) -> str:
    each = []
    for name, own in of:
        interval = f"{_points(own.low or 0.0)} to {_points(own.high or 0.0)}"
        each.append(f"{name} {_points(own.mean)} ({interval}), p {_p(own.p_holm or 0.0)}")
    pairs = sorted({own.n for _, own in of})
    runs = text.count(pairs[-1], "pair") if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]} pairs"
    return (
        f"{where}, that any of these differs from {data.baseline} (points of test accuracy, 95 % interval, corrected "
        f"p; {runs} of runs): {'; '.join(each)}."
    )


def _highest(rows: tuple[ResultRow, ...]) -> list[Claim]:
    found = []
    for key in sorted({(row.fraction, row.search_fraction) for row in rows}, reverse=True):
        group = [(row, row.test_accuracy) for row in rows if (row.fraction, row.search_fraction) == key]
        measured = [(row, mean) for row, mean in group if mean is not None]
        if not measured:
            continue
        best, mean = max(measured, key=lambda pair: pair[1].mean)
        setting = f" with {text.params(best.params[0])}" if best.params and best.params[0] else ""
        base = [
            f"; {row.regularizer}, the baseline, has {_measured(other)}" for row, other in measured if row.is_baseline
        ]
        found.append(
            Claim(
                MEASURED,
                f"On {text.data_words(best)} the highest mean test accuracy, over {text.count(mean.n, 'run')}, is that "
                f"of {best.regularizer}{setting}: {_measured(mean)}{'' if best.is_baseline else ''.join(base)}.",
            )
        )
    return found


def _measured(mean: Estimate) -> str:
    interval = "" if mean.low is None or mean.high is None else f" ({100 * mean.low:.2f} to {100 * mean.high:.2f})"
    return f"{100 * mean.mean:.2f} %{interval}"


def _robust(data: Snapshot) -> list[Claim]:
    """What may be claimed of robustness, one by one; all that may not in one sentence, since it is mostly much."""
    found, others = [], 0
    for row in comparisons(data):
        own = row.difference
        if row.measure == ACCURACY:
            continue
        if own.low is None or own.high is None or own.p_holm is None or own.p_holm > LEVEL or own.low <= 0 <= own.high:
            others += 1
            continue
        under = f"under {row.test}" if row.measure == AREA else "under corruptions"
        better = "more" if own.mean > 0 else "less"
        where = text.where(data, row.fraction, row.search_fraction)
        claim = (
            f"On {where}, {under}, {row.regularizer} is {better} accurate "
            f"than {data.baseline}: {_points(own.mean)} points of {row.measure}, 95 % interval {_points(own.low)} to "
            f"{_points(own.high)}, {text.count(own.n, 'pair')} of runs, corrected p {_p(own.p_holm)}"
        )
        if data.picked_on_test:
            found.append(Claim(MAY_NOT, f"{claim}; but the strengths were picked on the test set."))
        elif own.mean > 0 and _warned(data, row):
            doubt = "the attack's check of itself warned, so that the accuracy under it may be too high"
            found.append(Claim(MAY_NOT, f"{claim}; but {doubt}."))
        else:
            found.append(Claim(MAY, f"{claim}."))
    if others:
        every = text.count(others, "comparison")
        sentence = f"That a regularizer differs from {data.baseline} in {every} under attack or corruption"
        found.append(Claim(MAY_NOT, f"{sentence}{' more' if found else ''}: they stand in the table of comparisons."))
    return found


def _warned(data: Snapshot, row: Compared) -> bool:
    return any(
        (found.fraction, found.search_fraction, found.regularizer, found.test, found.norm)
        == (row.fraction, row.search_fraction, row.regularizer, row.test, row.norm)
        for found in warnings(data)
    )


def _measured_worth(data: Snapshot) -> list[Claim]:
    """What each regularizer is worth in images, with the fewest images for which that was measured."""
    fewest: dict[str, Equivalence] = {}
    for row in equivalences(data):
        known = fewest.get(row.regularizer)
        if row.place == WITHIN and row.factor > 1 and (known is None or row.images < known.images):
            fewest[row.regularizer] = row
    return [Claim(MEASURED, _worth(data, row)) for row in fewest.values()]


def _worth(data: Snapshot, row: Equivalence) -> str:
    interval = "one seed, no interval"
    if row.low is not None and row.high is not None:
        high = "more than there are" if math.isinf(row.high) else f"{row.high:,.0f}"
        low = "fewer than were measured" if row.low == 0 else f"{row.low:,.0f}"
        interval = f"95 % interval {low} to {high}, {text.count(row.n, 'seed')}"
    where = text.where(data, row.fraction, row.search_fraction)
    return (
        f"On {where} {row.regularizer} has with {row.images:,} images the "
        f"mean accuracy for which {data.baseline} needs {row.needed:,.0f} ({interval}), interpolating its curve over "
        f"{row.sizes} sizes."
    )


def _power(data: Snapshot) -> list[Claim]:
    tested = [row.difference.n for row in comparisons(data) if row.difference.p is not None]
    if not tested:
        return []
    least = min(1.0, len(tested) * smallest_p(max(tested)))
    if least <= LEVEL:
        return []
    return [
        Claim(
            CAUTION,
            f"With {text.count(max(tested), 'pair')} of runs a comparison, the exact test cannot give a corrected p "
            f"below {least:.3g} for the first of {text.count(len(tested), 'comparison')}, so no difference can be "
            f"claimed however large it is. {pairs_needed(len(tested))} seeds would allow it.",
        )
    ]


def _cautions(data: Snapshot, rows: tuple[ResultRow, ...]) -> list[Claim]:
    found = []
    for row in rows:
        where = f"{row.regularizer} on {text.data_words(row)}"
        if row.diverged or row.failed:
            lost = text.count(row.diverged + row.failed, "confirmed run")
            found.append(
                f"{where}: {lost} of {row.runs + row.diverged + row.failed} diverged or failed and stand in no mean; "
                f"the mean describes the {row.runs} that ended."
            )
        if row.runs == 1:
            found.append(f"{where}: one run only, so there is no interval.")
    found += _edges(data, rows)
    found += _moves(data)
    found += _attacks(data)
    spent = budget(data)
    trials = {row.trials for row in spent if row.trials}
    if len(trials) > 1:
        given = ", ".join(f"{row.regularizer} {row.trials}" for row in spent)
        found.append(f"The searches did not get the same number of trials ({given}).")
    methods = {row.test_accuracy.method for row in rows if row.test_accuracy is not None}
    if methods & {BCA, STUDENT} and max(row.runs for row in rows) < 20:
        found.append(
            "The intervals are from few seeds. BCa bootstrap intervals cover the mean in about 85 % of cases with 5 "
            "seeds and 90 % with 10 (normal data), not in 95 %; the exact test keeps its level."
            if BCA in methods
            else "With fewer than 5 runs the intervals are Student's t, which takes runs to be normally distributed."
        )
    return [Claim(CAUTION, sentence) for sentence in found]


def _edges(data: Snapshot, rows: tuple[ResultRow, ...]) -> list[str]:
    places: dict[tuple[str, str, str], dict[str, None]] = {}  # of the searches, which several training sets may share
    for row in rows:
        for name, side in sorted(row.edges.items()):
            where = text.where(data, row.search_fraction)
            places.setdefault((row.regularizer, name, side), {})[where] = None
    return [
        f"{regularizer}, searched on {' and on '.join(where)}: the best {name} lies on the {side} edge of its search "
        "space; a better one may lie outside."
        for (regularizer, name, side), where in places.items()
    ]


def _moves(data: Snapshot) -> list[str]:
    """Where the best strength moves with the data: the intervals of its peak at the two ends do not meet."""
    found = []
    for name in data.regularizers:
        own = [each.optimum for each in responses(data)]
        own = [
            each
            for each in own
            if each.regularizer == name and each.parameter == strength_parameter(data, name) and each.best is not None
        ]
        if len(own) < 2:
            continue
        most, least = own[0], own[-1]
        ends = (most.best_low, most.best_high, least.best_low, least.best_high)
        if None not in ends and (ends[1] < ends[2] or ends[3] < ends[0]):  # type: ignore[operator]
            found.append(
                f"{name}: the best {most.parameter} moves with the data, from {text.setting(most.best)} on "
                f"{text.where(data, most.fraction)} to {text.setting(least.best)} on "
                f"{text.where(data, least.fraction)} (the 95 % intervals of the fitted peaks do not meet), so one "
                "carried over is not the best one there."
            )
    return found


def _attacks(data: Snapshot) -> list[str]:
    seen: dict[tuple[str, str, str], set[str]] = {}
    for row in warnings(data):
        where = text.where(data, row.fraction, row.search_fraction)
        seen.setdefault((row.regularizer, row.test, row.warning), set()).add(where)
    return [
        f"{name} under {test}, on {text.count(len(places), 'setting')} of the data: {warning.rstrip('.')}."
        for (name, test, warning), places in seen.items()
    ]


def _scope(data: Snapshot) -> str:
    study = data.study
    return (
        f"All of this holds for the model {study.get('model', 'unknown')} on the data set "
        f"{study.get('dataset', 'unknown')} and its one test set, trained as this study trains. Seeds vary the initial "
        "weights, the training subset and its order, so the intervals do not include the error of a finite test set, "
        "which stands beside them."
    )


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
