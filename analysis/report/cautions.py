"""What a reader must keep in mind beside the claims: uneven spread, lost runs, edges, warnings, and the scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from analysis.formatting import count, setting_text
from analysis.measures.attacks import warnings
from analysis.measures.comparisons import comparisons
from analysis.measures.primary import is_of_metric
from analysis.measures.results import ResultRow, result_table
from analysis.measures.search.model import search_models
from analysis.measures.search.picks import picks, regret_of
from analysis.measures.search.response import strength_optima
from analysis.metric_text import left_out, metric_text
from analysis.snapshot import Snapshot, mapping
from analysis.wording import baseline_text, where


def cautions(data: Snapshot) -> list[str]:
    """Every caution, one sentence or a few each; none where there is nothing to be careful about."""
    rows = result_table(data)
    sentences = _irregular(data)
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
    sentences += [*_at_chance(data), *_without_regret(data), *_not_located(data)]
    sentences += [
        *_edges(data, rows),
        *map(metric_text(data).in_metric, _moving_strengths(data)),
        *_attack_warnings(data),
        *unequal_searches(data),
    ]
    sentences += _several_codes(data)
    without = left_out(data)
    sentences += [] if without is None else [without]
    return [*sentences, _scope(data)] if rows else sentences


def _irregular(data: Snapshot) -> list[str]:
    """Differences that a mean describes badly: with bad runs on one side alone, no test of means keeps its level."""
    strange = [row for row in comparisons(data) if is_of_metric(row.measure) and row.spread]
    if not strange:
        return []
    each = "; ".join(
        f"{row.regularizer} on {where(data, row.fraction, row.search_fraction)} ({row.spread})" for row in strange
    )
    return [
        f"Some differences to {baseline_text(data)} are not spread evenly: {each}. If single bad runs are the cause, "
        "no test of means keeps its level: look at the dots of the figure of paired differences before you believe "
        "these."
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


def _at_chance(data: Snapshot) -> list[str]:
    """Searches whose pick is not expected to be better than guessing."""
    return [
        f"{pick.regularizer}, searched on {where(data, pick.fraction)}: what is expected of the pick, "
        f"{100 * (pick.expected or 0.0):.1f} %, is not above guessing, so its strength was picked by chance."
        for pick in picks(data)
        if pick.chance
    ]


def _without_regret(data: Snapshot) -> list[str]:
    """Searches of which nobody can say how much better another setting may be than the pick."""
    reasons: dict[str, dict[str, None]] = {}
    for (name, fraction), model in search_models(data).items():
        if isinstance(model, str) and regret_of(data, name, fraction) is None:
            reasons.setdefault(model, {})[name] = None
    return [
        f"How far the picks of {', '.join(sorted(names, key=data.order))} may be from the best setting is not known: "
        f"there is no model of the search, as {reason}."
        for reason, names in sorted(reasons.items())
    ]


def _not_located(data: Snapshot) -> list[str]:
    """Strengths whose best value may be nearly anywhere in the space, by the largest search."""
    names = []
    for name in data.regularizers:
        optimum = next((each for each in strength_optima(data, name) if each.best is not None), None)
        if optimum is not None and not optimum.located:
            names.append(f"{name} ({optimum.parameter})")
    if not names:
        return []
    return [
        f"The search does not locate the best strength of {', '.join(names)}: the 95 % interval of its place is most "
        "of the space."
    ]


def _moving_strengths(data: Snapshot) -> list[str]:
    """Where the best strength moves with the data: the intervals of its peak at the two ends do not meet."""
    sentences = []
    for name in data.regularizers:
        peaks = [optimum for optimum in strength_optima(data, name) if optimum.located and optimum.best_low is not None]
        if len(peaks) < 2:
            continue
        most, least = peaks[0], peaks[-1]
        if most.best_high < least.best_low or least.best_high < most.best_low:  # type: ignore[operator]
            sentences.append(
                f"{name}: the best {most.parameter} moves with the data, from {setting_text(most.best)} on "
                f"{where(data, most.fraction)} to {setting_text(least.best)} on "
                f"{where(data, least.fraction)} (the 95 % intervals of the peaks do not meet), so one "
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


def unequal_searches(data: Snapshot) -> list[str]:
    """What the searches did not get as much of; trials beside the budget come on top of what they got."""
    searched = [name for name in data.regularizers if _is_searched(data, name)]
    trials, epochs = Counter[str](), Counter[str]()
    for row in data.trials:
        if row["shared_from"] is None and row["picked_from"] is None and row["regularizer"] in searched:
            trials[row["regularizer"]] += 1
            epochs[row["regularizer"]] += (row["epochs_trained"] or 0) * data.passes(row["regularizer"])
    if data.expected:  # the budget counts epochs, of which a trial takes as many as it is worth
        return _unequal_epochs(data, epochs)
    if len({count for count in trials.values() if count}) < 2:
        return []
    given = ", ".join(f"{name} {trials[name]}" for name in searched)
    return [f"The searches did not get the same number of trials ({given})."]


def _unequal_epochs(data: Snapshot, spent: Mapping[str, int]) -> list[str]:
    """The epochs of each search, where they are to be equal and are not but for what is left below one training.

    ``spent``: passes over the training images.
    """
    epochs = [count for count in spent.values() if count]
    left_over = mapping(data.study.get("training")).get("epochs", 0) * len({row["fraction"] for row in data.trials})
    in_seconds = mapping(data.study.get("search")).get("budget") == "seconds"
    if in_seconds or not epochs or max(epochs) - min(epochs) <= left_over:
        return []
    given = ", ".join(f"{name} {count:,}" for name, count in spent.items())
    twice = [name for name in spent if data.passes(name) > 1]
    counted = f", where an epoch of {', '.join(twice)} counts as often as it passes over the images" if twice else ""
    return [f"The searches did not get the same number of epochs ({given}){counted}."]


def _is_searched(data: Snapshot, name: str) -> bool:
    """Whether a method has anything to search; one whose values are all fixed has a single training."""
    space = mapping(data.method(name).get("space"))
    return not space or any("value" not in mapping(entry) for entry in space.values())


def _scope(data: Snapshot) -> str:
    study = data.study
    return metric_text(data).in_metric(
        f"All of this holds for the model {study.get('model', 'unknown')} on the data set "
        f"{study.get('dataset', 'unknown')} and its one test set, trained as this study trains. Seeds vary the initial "
        "weights, the training subset and its order, so the intervals do not include the error of a finite test set, "
        "which stands beside them."
    )
