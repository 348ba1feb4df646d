"""Numbers as a person reads them: the one place where the report and the terminal get their strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from analysis.results import ResultRow, result_table
from analysis.statistics import Comparison, Estimate
from analysis.tables import Snapshot, Source

NONE: Final = "none"


@dataclass(frozen=True)
class TextRow:
    """One row of the result table as strings; accuracies in percent, differences in percentage points."""

    data: str
    regularizer: str
    params: str
    runs: str
    test_accuracy: str
    difference: str
    p: str
    notes: str
    gap: str
    max_over_epochs: str
    mean_last_10pct: str


#: Headings of ``TextRow``, in its order.
HEADINGS: Final = {
    "data": "Training data",
    "regularizer": "Regularizer",
    "params": "Winning hyperparameters",
    "runs": "Runs",
    "test_accuracy": "Test accuracy, %",
    "difference": "Difference to baseline, points",
    "p": "p (Holm)",
    "notes": "Notes",
    "gap": "Generalization gap, points",
    "max_over_epochs": "Papers' max over epochs, %",
    "mean_last_10pct": "Papers' mean of last 10 % of epochs, %",
}


def result_rows(source: Source) -> list[TextRow]:
    """The result table as strings, row by row as in ``result_table``.

    >>> from pathlib import Path
    >>> from tune_reg.store import Results
    >>> result_rows(Results(Path("nowhere")))
    []
    """
    return [text_row(row) for row in result_table(source)]


def text_row(row: ResultRow) -> TextRow:
    """``row`` as strings."""
    return TextRow(
        data=data_label(row),
        regularizer=f"{row.regularizer} (baseline)" if row.is_baseline else row.regularizer,
        runs=str(row.runs),
        test_accuracy=estimate(row.test_accuracy),
        difference="baseline" if row.is_baseline else estimate(row.difference, signed=True),
        p="" if row.is_baseline else p_value(row.difference),
        gap=estimate(row.generalization_gap, signed=True),
        max_over_epochs=estimate(row.max_over_epochs),
        mean_last_10pct=estimate(row.mean_last_10pct),
        params="; or ".join(map(params, row.params)) or NONE,
        notes="; ".join(notes(row)),
    )


def notes(row: ResultRow) -> list[str]:
    """What a reader of ``row`` must know besides its numbers."""
    found = []
    if row.diverged:
        found.append(f"{count(row.diverged, 'run')} diverged")
    if row.failed:
        found.append(f"{count(row.failed, 'run')} failed")
    if not row.runs:
        found.append("no confirmed run ended" if row.diverged or row.failed else "no confirmed run")
    if row.runs == 1:
        found.append("one run, no interval")
    if row.difference is not None and row.difference.n < row.runs:
        found.append(f"paired with the baseline at {count(row.difference.n, 'seed')}")
    if row.runs and row.difference is None and not row.is_baseline:
        found.append("no seed in common with the baseline")
    found += [f"{name} on the {side} edge of its space" for name, side in sorted(row.edges.items())]
    return found


def data_label(row: ResultRow) -> str:
    """Which training data, for a table: share, images, and where the strength was picked if elsewhere."""
    images = "" if row.n_train is None else f" ({row.n_train:,} images)"
    amount = share(row.fraction) if row.images_per_class is None else f"{row.images_per_class:,} a class"
    return f"{amount}{images}{_carried(row.fraction, row.search_fraction, row.search_images_per_class)}"


def data_words(row: ResultRow) -> str:
    """Which training data, for a sentence."""
    amount = _amount(row.fraction, row.images_per_class)
    return f"{amount}{_carried(row.fraction, row.search_fraction, row.search_images_per_class)}"


def where(data: Snapshot, fraction: float, search_fraction: float | None = None) -> str:
    """Which training data, for a title or a sentence: ``data_words`` where there is no result row.

    >>> from pathlib import Path
    >>> from tune_reg.store import Results
    >>> where(Snapshot(Results(Path("nowhere"))), 0.25, 1.0)
    '25 % of the data, strength from 100 %'
    """
    per_class = data.images_per_class
    searched = fraction if search_fraction is None else search_fraction
    return f"{_amount(fraction, per_class.get(fraction))}{_carried(fraction, searched, per_class.get(searched))}"


def _amount(fraction: float, per_class: int | None) -> str:
    return f"{share(fraction)} of the data" if per_class is None else f"{count(per_class, 'image')} a class"


def _carried(fraction: float, search_fraction: float, per_class: int | None) -> str:
    if fraction == search_fraction:
        return ""
    return f", strength from {share(search_fraction) if per_class is None else f'{per_class:,} a class'}"


def estimate(value: Estimate | Comparison | None, *, signed: bool = False) -> str:
    """A mean and its interval, in percent.

    >>> estimate(Estimate(5, 0.9731, 0.9701, 0.976, "BCa bootstrap"))
    '97.31 [97.01, 97.60]'
    >>> estimate(None)
    'none'
    """
    if value is None:
        return NONE
    form = "+.2f" if signed else ".2f"
    mean = f"{_zero(100 * value.mean):{form}}"
    if value.low is None or value.high is None:
        return mean
    return f"{mean} [{_zero(100 * value.low):{form}}, {_zero(100 * value.high):{form}}]"


def p_value(comparison: Comparison | None) -> str:
    """The corrected p-value.

    >>> p_value(None)
    'none'
    """
    if comparison is None or comparison.p_holm is None:
        return NONE
    return "<0.001" if comparison.p_holm < 0.001 else f"{comparison.p_holm:.3f}"


def params(values: dict[str, Any]) -> str:
    """Hyperparameters by name.

    >>> params({"mu": 0.75, "decay": 0.000123456})
    'decay = 0.000123, mu = 0.75'
    """
    return ", ".join(f"{name} = {setting(value)}" for name, value in sorted(values.items()))


def setting(value: object) -> str:
    """One hyperparameter's value, to three significant digits where it is a float.

    >>> setting(0.000123456), setting("laplace")
    ('0.000123', 'laplace')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def share(fraction: float) -> str:
    """A share in percent.

    >>> share(0.125)
    '12.5 %'
    """
    return f"{100 * fraction:.4g} %"


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "run"), count(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def seconds(value: float) -> str:
    """A duration.

    >>> seconds(12.34), seconds(3700)
    ('12.3 s', '1 h 2 min')
    """
    if value < 120:
        return f"{value:.1f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 and value < 3600 else f"{minutes // 60} h {minutes % 60} min"


def _zero(value: float) -> float:
    # "-0.00" says a direction that is not there.
    return 0.0 if abs(value) < 0.005 else value
