"""The tables of the report beside the result table, in their order."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from analysis import papers, robustness, text, tuning
from analysis.comparisons import AREA, accuracies, compared, comparisons
from analysis.effects import Effect
from analysis.equivalence import BELOW, BEYOND, equivalences
from analysis.importance import importances
from analysis.response import CATEGORY, Optimum, responses
from analysis.statistics import Comparison, Estimate, mean_interval, share_interval, wilson
from analysis.tables import Snapshot, finite
from analysis.tradeoff import TradePoint, trades


class Table(NamedTuple):
    """A table as shown, and its numbers with all their digits."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[Any, ...]  # NamedTuples of one class, for the CSV; shares in [0, 1], not percent


class TableSheet(NamedTuple):
    """One table of the report: how it is made, and what is said about it. One without rows is left out."""

    name: str  # of its file
    title: str
    caption: str
    compute: Callable[[Snapshot], Table]


class AccuracyNumbers(NamedTuple):
    """One regularizer at one data fraction: its accuracy with both kinds of error, and its calibration."""

    fraction: float
    search_fraction: float
    regularizer: str
    accuracy: Estimate  # test accuracy; the interval is over seeds
    test_images: int | None
    test_set_low: float | None  # Wilson interval of one run of that accuracy on so many images
    test_set_high: float | None
    test_loss: Estimate | None
    test_ece: Estimate | None


def accuracy_table(data: Snapshot) -> Table:
    """Accuracy with the error over seeds and that of the finite test set, cross-entropy and calibration error."""
    numbers, rows = [], []
    for setting, runs in accuracies(data).items():
        for name in data.regularizers:
            mean = share_interval(list(runs.get(name, {}).values()))
            if mean is None:
                continue
            mine = [
                row
                for row in data.final
                if (row["fraction"], row["search_fraction"], row["regularizer"]) == (*setting, name)
                and row["state"] == "complete"
            ]
            images = next((row["n_test"] for row in mine if row["n_test"]), None)
            low, high = (None, None) if images is None else wilson(min(1.0, max(0.0, mean.mean)), images)
            loss, ece = (mean_interval(finite(row[key] for row in mine)) for key in ("test_loss", "test_ece"))
            numbers.append(AccuracyNumbers(*setting, name, mean, images, low, high, loss, ece))
            rows.append(
                (
                    text.where(data, *setting),
                    name,
                    str(mean.n),
                    text.estimate(mean),
                    text.NONE if images is None else f"{images:,}",
                    _range(low, high),
                    _plain(loss, 4),
                    text.estimate(ece),
                )
            )
    headings = (
        *("Training data", "Regularizer", "Runs", "Test accuracy, % [over seeds]", "Test images"),
        *("The same, % [finite test set]", "Cross-entropy", "Calibration error, %"),
    )
    return Table(headings, tuple(rows), _flat(numbers, accuracy=Estimate, test_loss=Estimate, test_ece=Estimate))


def comparison_table(data: Snapshot) -> Table:
    """Every comparison with the baseline that the report makes, with effect sizes."""
    found = comparisons(data)
    rows = []
    for row in found:
        size = row.effect
        rows.append(
            (
                f"{row.measure}, {_attack(row.test, row.norm)}" if row.test else row.measure,
                text.where(data, row.fraction, row.search_fraction),
                row.regularizer,
                str(row.difference.n),
                text.estimate(row.difference, signed=True),
                _bracketed(size.median, size.median_low, size.median_high, "+.2f", 100),
                text.NONE if size.d is None else _bracketed(size.d, size.d_low, size.d_high, "+.2f"),
                _bracketed(size.improvement, size.improvement_low, size.improvement_high, ".0f", 100),
                text.NONE if row.difference.p is None else _p(row.difference.p),
                text.p_value(row.difference),
            )
        )
    headings = (
        *("Measure", "Training data", "Regularizer", "Pairs", "Mean difference, points", "Median difference, points"),
        *("Effect size d", "Better than the baseline, % of pairs", "p", f"p (Holm, {len(found)} comparisons)"),
    )
    return Table(headings, tuple(rows), _flat(found, difference=Comparison, effect=Effect))


def equivalence_table(data: Snapshot) -> Table:
    """Images that the baseline would need for each regularizer's accuracy."""
    found = equivalences(data)
    rows = tuple(
        (
            text.where(data, row.fraction, row.search_fraction),
            row.regularizer,
            str(row.n),
            f"{100 * row.accuracy:.2f}",
            f"{row.images:,}",
            _images(row.needed),
            text.NONE if row.low is None or row.high is None else f"{_images(row.low)} to {_images(row.high)}",
            f"{row.factor:.2f}" if row.place not in (BEYOND, BELOW) else row.place,
        )
        for row in found
    )
    headings = (
        *("Training data", "Regularizer", "Seeds", "Test accuracy, %", "Images", "Images the baseline needs"),
        *("95 % interval", "Times as many"),
    )
    return Table(headings, rows, found)


def optimum_table(data: Snapshot) -> Table:
    """Best value, plateau and edge of every searched hyperparameter."""
    found = tuple(each.optimum for each in responses(data))
    rows = tuple(
        (
            text.where(data, row.fraction),
            row.regularizer,
            row.parameter,
            str(row.trials),
            text.NONE if row.picked is None else text.setting(row.picked),
            text.NONE if row.best is None else _settings(row.best, row.best_low, row.best_high),
            text.NONE
            if row.accuracy is None
            else _bracketed(row.accuracy, row.accuracy_low, row.accuracy_high, ".2f", 100),
            text.NONE if row.plateau_share is None else _plateau(row),
            _remarks(row),
        )
        for row in found
    )
    headings = (
        *("Training data", "Regularizer", "Hyperparameter", "Complete trials", "Winner's", "Peak of the curve"),
        *("Validation accuracy there, %", "Plateau (share of the space)", "Notes"),
    )
    return Table(headings, rows, found)


def importance_table(data: Snapshot) -> Table:
    """The importance of every hyperparameter of every search."""
    found = importances(data)
    rows = tuple(
        (
            text.where(data, row.fraction),
            row.regularizer,
            row.parameter,
            str(row.n),
            _bracketed(row.share, row.low, row.high, ".0f", 100),
        )
        for row in found
    )
    headings = ("Training data", "Regularizer", "Hyperparameter", "Complete trials", "Share of the importance, %")
    return Table(headings, rows, found)


class RobustnessNumbers(NamedTuple):
    """One regularizer under one attack."""

    fraction: float
    search_fraction: float
    test: str
    norm: str | None
    regularizer: str
    area: Estimate | None  # mean accuracy over the epsilons, share in [0, 1]
    difference: Comparison | None  # of the area to the baseline
    median_distance: Estimate | None  # on images in [0, 1]
    warned: int  # runs in which a check of the attack against itself warned


def robustness_table(data: Snapshot) -> Table:
    """Area under each attack's curve, its difference to the baseline, and the median distance to the boundary."""
    areas, distances = robustness.areas(data), robustness.distances(data)
    numbers, rows = [], []
    for setting, attack in dict.fromkeys([*areas, *distances]):
        warned: dict[str, int] = {}
        for row in robustness.warnings(data):
            if row[:2] == setting and (row.test, row.norm) == attack:
                warned[row.regularizer] = max(row.runs, warned.get(row.regularizer, 0))
        for name in data.regularizers:
            area = share_interval(list(areas.get((setting, attack), {}).get(name, {}).values()))
            distance = mean_interval(list(distances.get((setting, attack), {}).get(name, {}).values()))
            if area is None and distance is None:
                continue
            found = compared(data, AREA, setting, name, attack)
            difference = None if found is None else found.difference
            numbers.append(RobustnessNumbers(*setting, *attack, name, area, difference, distance, warned.get(name, 0)))
            rows.append(
                (
                    text.where(data, *setting),
                    _attack(*attack),
                    name,
                    str(max(each.n for each in (area, distance) if each is not None)),
                    text.estimate(area),
                    "baseline" if name == data.baseline else text.estimate(difference, signed=True),
                    "" if name == data.baseline else text.p_value(difference),
                    _plain(distance, 3),
                    f"warned of in {text.count(warned[name], 'run')}" if warned.get(name) else "",
                )
            )
    headings = (
        *("Training data", "Attack", "Regularizer", "Runs", "Mean accuracy over epsilon, %"),
        *("Difference to baseline, points", "p (Holm)", "Median distance", "Notes"),
    )
    nested = {"area": Estimate, "difference": Comparison, "median_distance": Estimate}
    return Table(headings, tuple(rows), _flat(numbers, **nested))


def trade_table(data: Snapshot) -> Table:
    """Which regularizers lie on the front of clean and robust accuracy, and how surely."""
    rows, numbers = [], []
    for setting, attack, points in trades(data):
        for point in points:
            share = point.front_share
            rows.append(
                (
                    text.where(data, *setting),
                    _attack(*attack),
                    point.regularizer,
                    str(point.n),
                    _bracketed(point.clean, point.clean_low, point.clean_high, ".2f", 100),
                    _bracketed(point.robust, point.robust_low, point.robust_high, ".2f", 100),
                    "yes" if point.front else "no",
                    "one seed" if share is None else f"{100 * share:.0f}",
                )
            )
            numbers.append(_Traded(*setting, *attack, point))
    headings = (
        *("Training data", "Attack", "Regularizer", "Runs", "Test accuracy, %", "Mean accuracy over epsilon, %"),
        *("On the front", "In % of resampled seeds"),
    )
    return Table(headings, tuple(rows), _flat(numbers, point=TradePoint))


class _Traded(NamedTuple):
    fraction: float
    search_fraction: float
    test: str
    norm: str | None
    point: Any


def corruption_table(data: Snapshot) -> Table:
    """Mean accuracy under corruptions and the mean corruption error."""
    found = robustness.corruption_rows(data)
    rows = tuple(
        (
            text.where(data, row.fraction, row.search_fraction),
            row.regularizer,
            str(row.corruptions),
            str(0 if row.accuracy is None else row.accuracy.n),
            text.estimate(row.accuracy),
            text.estimate(row.mce),
            text.estimate(row.relative_mce),
        )
        for row in found
    )
    headings = (
        *("Training data", "Regularizer", "Corruptions", "Runs", "Mean accuracy, %", "mCE, % of the baseline's"),
        "Relative mCE, % of the baseline's",
    )
    return Table(headings, rows, _flat(found, accuracy=Estimate, mce=Estimate, relative_mce=Estimate))


def corruption_cell_table(data: Snapshot) -> Table:
    """One row a corruption, one column a regularizer."""
    cells = robustness.corruption_cells(data)
    names = [name for name in data.regularizers if any(cell.regularizer == name for cell in cells)]
    shown: dict[tuple[float, float, str], dict[str, str]] = {}
    for cell in cells:
        row = shown.setdefault(cell[:3], {})
        row[cell.regularizer] = f"{_bracketed(cell.accuracy, cell.low, cell.high, '.2f', 100)} (n = {cell.n})"
    rows = tuple(
        (text.where(data, *key[:2]), key[2], *(row.get(name, text.NONE) for name in names))
        for key, row in shown.items()
    )
    return Table(("Training data", "Corruption", *(f"{name}, %" for name in names)), rows, cells)


def warning_table(data: Snapshot) -> Table:
    """What the attacks' checks of themselves found."""
    found = robustness.warnings(data)
    rows = tuple(
        (
            text.where(data, row.fraction, row.search_fraction),
            _attack(row.test, row.norm),
            "" if row.epsilon is None else f"{row.epsilon:.4g}",
            row.regularizer,
            f"{row.runs} of {row.of}",
            row.warning,
        )
        for row in found
    )
    return Table(("Training data", "Attack", "Epsilon", "Regularizer", "Runs", "Warning"), rows, found)


def paper_table(data: Snapshot) -> Table:
    """The papers' own measures beside test accuracy after the last epoch."""
    found = papers.paper_rows(data)
    rows = tuple(
        (
            text.where(data, row.fraction, row.search_fraction),
            row.regularizer,
            str(row.n),
            text.estimate(row.test_accuracy),
            text.estimate(row.max_over_epochs),
            text.NONE if row.max_over_runs is None else f"{100 * row.max_over_runs:.2f}",
            text.estimate(row.mean_last_10pct),
            text.NONE
            if row.trimmed_mean is None
            else _bracketed(row.trimmed_mean, row.trimmed_low, row.trimmed_high, ".2f", 100)
            + f" ({row.trimmed} cut at each end)",
        )
        for row in found
    )
    headings = (
        *("Training data", "Regularizer", "Runs", "Honest: test accuracy after the last epoch, %"),
        *("Paper: max over epochs, %", "Paper: max over epochs and runs, %", "Paper: mean of last 10 % of epochs, %"),
        "Paper: 10 %-trimmed mean of those, %",
    )
    nested = dict.fromkeys(("test_accuracy", "max_over_epochs", "mean_last_10pct"), Estimate)
    return Table(headings, rows, _flat(found, **nested))


class BudgetNumbers(NamedTuple):
    """One search at one shared budget."""

    fraction: float
    point: tuning.TuningPoint


def equal_budget_table(data: Snapshot) -> Table:
    """All searches at the same budgets."""
    found = [BudgetNumbers(at, point) for at, points in tuning.equal_budgets(data).items() for point in points]
    found.sort(key=lambda row: (-row.fraction, row.point.epochs))
    rows = tuple(
        (
            text.where(data, fraction),
            f"{point.epochs:,}",
            point.regularizer,
            f"{point.trials} of {point.n}",
            text.NONE if point.best is None else f"{100 * point.best:.2f}",
            _order_band(point),
        )
        for fraction, point in found
    )
    # In protocol "paper" trials are scored on the test set.
    best = f"Best {'test' if data.picked_on_test else 'validation'} accuracy so far, %"
    headings = (
        *("Training data", "Epochs spent", "Regularizer", "Trials finished", best),
        "Trials in random order, % [95 %]",
    )
    return Table(headings, rows, _flat(found, point=tuning.TuningPoint))


TABLE_SHEETS: Final[tuple[TableSheet, ...]] = (
    TableSheet(
        "accuracy",
        "How sure each accuracy is",
        "Two errors beside each other: over seeds (the bracket of the first accuracy), and that of a test set of so "
        "many images (Wilson interval of a single run; the mean over runs on the one test set is at least as sure). "
        "All runs share the test set, so the second is mostly common to all rows. Calibration error: 15 bins.",
        accuracy_table,
    ),
    TableSheet(
        "comparisons",
        "Every comparison with the baseline",
        "Pairs share a seed. p is the exact sign-flip test's; Holm's correction is over all rows of this table. d is "
        "the mean difference in standard deviations (Cohen's d_z with Hedges' correction; interval from the noncentral "
        "t). The median's interval needs 6 pairs. Better: share of pairs, ties counted half, Clopper-Pearson interval.",
        comparison_table,
    ),
    TableSheet(
        "data-equivalence",
        "What a regularizer is worth in images",
        "The images with which the baseline's curve, interpolated in log images and never extrapolated, has the same "
        "accuracy. Beyond the data: more than there are. Below: the baseline is as good with the fewest measured. "
        "Intervals resample the shared seeds; with few seeds they are too short.",
        equivalence_table,
    ),
    TableSheet(
        "optima",
        "Best value and plateau of each hyperparameter",
        "From the fitted curves of the figure above. The plateau is where the curve is within one standard error of "
        "its best: inside it the trials do not tell one value from another. The peak's interval resamples trials. The "
        "winner is the single best trial.",
        optimum_table,
    ),
    TableSheet(
        "importance",
        "Which hyperparameters mattered",
        "PED-ANOVA: how far the best quarter of the complete trials differs from all of them in each hyperparameter. "
        "Searches with fewer than 20 complete trials are left out. Intervals resample trials.",
        importance_table,
    ),
    TableSheet(
        "equal-budgets",
        "The searches at equal budgets",
        "At a quarter, a half and the whole of the smallest budget spent. The last column draws the trials in random "
        "order with replacement: what luck in the order alone would give.",
        equal_budget_table,
    ),
    TableSheet(
        "robustness",
        "Robustness",
        "Mean accuracy over epsilon is the area under the curve divided by its range, which the epsilons of the "
        "study set. Distance: median over images to the nearest wrong image found, mean over runs. Attacks give upper "
        "bounds: a stronger one may find more.",
        robustness_table,
    ),
    TableSheet(
        "trade-off",
        "Clean against robust accuracy",
        "On the front: no other regularizer has both means at least as high and one higher.",
        trade_table,
    ),
    TableSheet(
        "corruptions",
        "Corruptions",
        "mCE: mean over corruptions of the error summed over severities, relative to the baseline's run on the same "
        "seed (Hendrycks and Dietterich 2019); below 100 % is better than the baseline. Relative mCE: of the error "
        "that corruption adds to the clean one.",
        corruption_table,
    ),
    TableSheet(
        "corruption-accuracy",
        "Accuracy under each corruption",
        "Means over severities and runs.",
        corruption_cell_table,
    ),
    TableSheet(
        "attack-warnings",
        "Warnings of the attacks",
        "Where an attack's check of itself found something wrong, the accuracy under it is too high.",
        warning_table,
    ),
    TableSheet(
        "papers",
        "The papers' own measures",
        "For a comparison with printed numbers alone: each picks the best epoch or run after the fact, or shows the "
        "accuracy that picked the strength. A maximum over runs grows with their number and has no interval.",
        paper_table,
    ),
)


def _flat(rows: Iterable[Any], **nested: type[Any]) -> tuple[Any, ...]:
    """``rows`` with the NamedTuples in the fields ``nested`` spread over columns; None gives as many Nones."""
    kept = list(rows)
    if not kept:
        return ()
    columns: list[str] = []
    for field in kept[0]._fields:
        inner: Mapping[str, Any] | Sequence[str] = nested[field]._fields if field in nested else ()
        columns += [f"{field}_{name}" for name in inner] or [field]
    kind = namedtuple("Numbers", columns)  # type: ignore[misc]
    flat = []
    for row in kept:
        values: list[object] = []
        for field, value in zip(row._fields, row, strict=True):
            if field in nested:
                values += [None] * len(nested[field]._fields) if value is None else list(value)
            else:
                values.append(value)
        flat.append(kind(*values))
    return tuple(flat)


def _bracketed(mean: float, low: float | None, high: float | None, form: str, unit: float = 1) -> str:
    """A number and its interval."""
    shown = _number(unit * mean, form)
    if low is None or high is None:
        return shown
    return f"{shown} [{_number(unit * low, form)}, {_number(unit * high, form)}]"


def _number(value: float, form: str) -> str:
    # "-0.00" says a direction that is not there.
    shown = f"{value:{form}}"
    return f"{0.0:{form}}" if float(shown) == 0 else shown


def _plain(value: Estimate | None, digits: int) -> str:
    return text.NONE if value is None else _bracketed(value.mean, value.low, value.high, f".{digits}f")


def _range(low: float | None, high: float | None) -> str:
    return text.NONE if low is None or high is None else f"{100 * low:.2f} to {100 * high:.2f}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _attack(test: str, norm: str | None) -> str:
    return f"{test} ({norm})" if norm and norm not in test else test


def _images(needed: float) -> str:
    if math.isinf(needed):
        return "beyond the data"
    return "below the data" if needed == 0 else f"{needed:,.0f}"


def _order_band(point: tuning.TuningPoint) -> str:
    if point.median is None or point.high is None:
        return text.NONE
    low = "none yet" if point.low is None else f"{100 * point.low:.2f}"
    return f"{100 * point.median:.2f} [{low}, {100 * point.high:.2f}]"


def _settings(value: float, low: float | None, high: float | None) -> str:
    interval = "" if low is None or high is None else f" [{text.setting(low)}, {text.setting(high)}]"
    return f"{text.setting(value)}{interval}"


def _plateau(row: Optimum) -> str:
    ends = f"{text.setting(row.plateau_low)} to {text.setting(row.plateau_high)}"
    return f"{ends} ({100 * (row.plateau_share or 0.0):.0f} %)"


def _remarks(row: Optimum) -> str:
    found = []
    if row.picked_edge:
        found.append(f"winner on the {row.picked_edge} edge of its space")
    if row.plateau_open:
        end = "both ends" if row.plateau_open == "both" else f"the {row.plateau_open} end"
        found.append(f"the plateau goes on at {end} of the trials")
    if row.accuracy is None:
        found.append("no curve through names" if row.scale == CATEGORY else "too few trials for a curve")
    return "; ".join(found)
