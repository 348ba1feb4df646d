"""What a reader must keep in mind beside the claims: power, lost runs, edges, warnings, and the scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from analysis.formatting import count, setting_text
from analysis.measures.attacks import warnings
from analysis.measures.comparisons import comparisons
from analysis.measures.results import ResultRow, result_table
from analysis.measures.search.response import strength_optima
from analysis.snapshot import Snapshot, mapping
from analysis.statistics import LEVEL, pairs_needed, smallest_p
from analysis.statistics.intervals import BCA, STUDENT
from analysis.wording import where


def cautions(data: Snapshot) -> list[str]:
    """Every caution, one sentence or a few each; none where there is nothing to be careful about."""
    rows = result_table(data)
    sentences = _power(data)
    for row in rows:
        method = f"{row.regularizer} on {where(data, row.fraction, row.search_fraction)}"
        if row.diverged or row.failed:
            lost = count(row.diverged + row.failed, "confirmed run")
            sentences.append(
                f"{method}: {lost} of {row.runs + row.diverged + row.failed} diverged or failed and stand in no mean; "
                f"the mean describes the {row.runs} that ended."
            )
        if row.runs == 1:
            sentences.append(f"{method}: one run only, so there is no interval.")
    sentences += [*_edges(data, rows), *_moving_strengths(data), *_attack_warnings(data), *_unequal_searches(data)]
    sentences += _several_codes(data)
    sentences += _short_intervals(rows)
    return [*sentences, _scope(data)] if rows else sentences


def _power(data: Snapshot) -> list[str]:
    pairs = [row.difference.n for row in comparisons(data) if row.difference.p is not None]
    if not pairs:
        return []
    least = min(1.0, len(pairs) * smallest_p(max(pairs)))
    if least <= LEVEL:
        return []
    return [
        f"With {count(max(pairs), 'pair')} of runs a comparison, the exact test cannot give a corrected p "
        f"below {least:.3g} for the first of {count(len(pairs), 'comparison')}, so no difference can be "
        f"claimed however large it is. {pairs_needed(len(pairs))} seeds would allow it."
    ]


def _several_codes(data: Snapshot) -> list[str]:
    """Methods whose code was changed, and the change accepted, after runs had succeeded."""
    codes: dict[str, set[str]] = {}
    for row in [*data.trials, *data.final]:
        if row["code"] is not None and row["state"] != "failed":
            codes.setdefault(row["regularizer"], set()).add(row["code"])
    return [
        f"{name}: its runs were trained by {len(codes[name])} versions of the user's code, which was accepted when the "
        "study went on; its numbers describe them together."
        for name in data.regularizers
        if len(codes.get(name, ())) > 1
    ]


def _edges(data: Snapshot, rows: tuple[ResultRow, ...]) -> list[str]:
    # Several training sets may share one search.
    searched_on: dict[tuple[str, str, str], dict[str, None]] = {}
    for row in rows:
        for name, side in sorted(row.edges.items()):
            searched_on.setdefault((row.regularizer, name, side), {})[where(data, row.search_fraction)] = None
    return [
        f"{regularizer}, searched on {' and on '.join(searches)}: the best {name} lies on the {side} edge of its "
        "search space; a better one may lie outside."
        for (regularizer, name, side), searches in searched_on.items()
    ]


def _moving_strengths(data: Snapshot) -> list[str]:
    """Where the best strength moves with the data: the intervals of its peak at the two ends do not meet."""
    sentences = []
    for name in data.regularizers:
        peaks = [optimum for optimum in strength_optima(data, name) if optimum.best is not None]
        if len(peaks) < 2:
            continue
        most, least = peaks[0], peaks[-1]
        if None in (most.best_low, most.best_high, least.best_low, least.best_high):
            continue
        if most.best_high < least.best_low or least.best_high < most.best_low:  # type: ignore[operator]
            sentences.append(
                f"{name}: the best {most.parameter} moves with the data, from {setting_text(most.best)} on "
                f"{where(data, most.fraction)} to {setting_text(least.best)} on "
                f"{where(data, least.fraction)} (the 95 % intervals of the fitted peaks do not meet), so one "
                "carried over is not the best one there."
            )
    return sentences


def _attack_warnings(data: Snapshot) -> list[str]:
    settings: dict[tuple[str, str, str], set[str]] = {}
    for row in warnings(data):
        training_data = where(data, row.fraction, row.search_fraction)
        settings.setdefault((row.regularizer, row.test, row.warning), set()).add(training_data)
    return [
        f"{name} under {test}, on {count(len(names), 'setting')} of the data: {warning.rstrip('.')}."
        for (name, test, warning), names in settings.items()
    ]


def _unequal_searches(data: Snapshot) -> list[str]:
    """What the searches did not get as much of; trials at the others' best values come on top of what they got."""
    trials, epochs = Counter[str](), Counter[str]()
    for row in data.trials:
        if row["shared_from"] is None:
            trials[row["regularizer"]] += 1
            epochs[row["regularizer"]] += row["epochs_trained"] or 0
    if data.expected:  # the budget counts epochs, of which a trial takes as many as it is worth
        return _unequal_epochs(data, epochs)
    if len({count for count in trials.values() if count}) < 2:
        return []
    given = ", ".join(f"{name} {trials[name]}" for name in data.regularizers)
    return [f"The searches did not get the same number of trials ({given})."]


def _unequal_epochs(data: Snapshot, spent: Mapping[str, int]) -> list[str]:
    """The epochs of each search, where they are to be equal and are not but for what is left below one training."""
    epochs = [count for count in spent.values() if count]
    left_over = mapping(data.study.get("training")).get("epochs", 0) * len({row["fraction"] for row in data.trials})
    in_seconds = mapping(data.study.get("search")).get("budget") == "seconds"
    if in_seconds or not epochs or max(epochs) - min(epochs) <= left_over:
        return []
    given = ", ".join(f"{name} {spent[name]:,}" for name in data.regularizers)
    return [f"The searches did not get the same number of epochs ({given})."]


def _short_intervals(rows: tuple[ResultRow, ...]) -> list[str]:
    methods = {row.test_accuracy.method for row in rows if row.test_accuracy is not None}
    if not methods & {BCA, STUDENT} or max(row.runs for row in rows) >= 20:
        return []
    if BCA in methods:
        return [
            "The intervals are from few seeds. BCa bootstrap intervals cover the mean in about 85 % of cases with 5 "
            "seeds and 90 % with 10 (normal data), not in 95 %; the exact test keeps its level."
        ]
    return ["With fewer than 5 runs the intervals are Student's t, which takes runs to be normally distributed."]


def _scope(data: Snapshot) -> str:
    study = data.study
    return (
        f"All of this holds for the model {study.get('model', 'unknown')} on the data set "
        f"{study.get('dataset', 'unknown')} and its one test set, trained as this study trains. Seeds vary the initial "
        "weights, the training subset and its order, so the intervals do not include the error of a finite test set, "
        "which stands beside them."
    )
