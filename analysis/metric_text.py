"""The metric of a study in words and numbers: the one place that says "accuracy", "per cent", "points" and "higher"."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from analysis.formatting import NONE, count, interval_text, number_text
from analysis.measures.metric import decimals
from analysis.measures.primary import is_of_metric
from analysis.snapshot import Snapshot, once
from analysis.statistics import Comparison, Estimate


class MetricText(NamedTuple):
    """How a metric and its values are written; as it stands here, the accuracy.

    >>> MetricText().heading("Test"), MetricText().number(0.9731), MetricText().size(0.01)
    ('Test accuracy, %', '97.31', '1 point')
    >>> rmse = MetricText("rmse", 1.0, ".3f", "m", "m", minimized=True)
    >>> rmse.heading("Test"), rmse.number(0.9731), rmse.size(0.01), rmse.than(better=True)
    ('Test rmse, m', '0.973', '0.01 m', 'better in rmse')
    """

    words: str = "accuracy"
    factor: float = 100.0
    form: str = ".2f"
    unit: str = "%"
    of_differences: str = "points"
    minimized: bool = False

    @property
    def is_accuracy(self) -> bool:
        """Whether it is the accuracy."""
        return self.words == "accuracy"

    @property
    def best(self) -> str:
        """Where on the scale the best value is, in a word."""
        return "lowest" if self.minimized else "highest"

    def number(self, value: float) -> str:
        """A value, without its unit."""
        return number_text(self.factor * value, self.form)

    def signed(self, value: float) -> str:
        """A difference of two values, without its unit."""
        return number_text(self.factor * value, f"+{self.form}")

    def interval(self, mean: float, low: float | None, high: float | None, *, signed: bool = False) -> str:
        """A value, or a difference where ``signed``, with its interval and without its unit."""
        return interval_text(mean, low, high, f"+{self.form}" if signed else self.form, self.factor)

    def estimate(self, value: Estimate | Comparison | None, *, signed: bool = False) -> str:
        """A mean with its interval, without its unit; "none" where there is none."""
        return NONE if value is None else self.interval(value.mean, value.low, value.high, signed=signed)

    def with_unit(self, number: str) -> str:
        """The text of a value, with its unit."""
        return f"{number} {self.unit}" if self.unit else number

    def size(self, difference: float) -> str:
        """The size of a difference, with its unit."""
        if self.is_accuracy:
            points = number_text(100 * difference, ".4g")
            return f"{points} point{'' if round(100 * difference, 4) == 1 else 's'}"
        return self.with_unit(f"{difference:.4g}")

    def heading(self, before: str) -> str:
        """What a column or an axis of values says: which values, of what, in which unit."""
        return f"{before} {self.words}{f', {self.unit}' if self.unit else ''}"

    def of_difference(self, before: str) -> str:
        """What a column or an axis of differences says, with the unit."""
        return f"{before}, {self.of_differences}" if self.of_differences else before

    def difference_of(self, measure: str, signed: str) -> str:
        """A difference in a sentence: "+0.51 points of test accuracy"."""
        return f"{signed} {self.of_differences} of {measure}" if self.of_differences else f"{signed} in {measure}"

    def than(self, *, better: bool) -> str:
        """How one method compares with another, before "than"."""
        if self.is_accuracy:
            return "more accurate" if better else "less accurate"
        return f"{'better' if better else 'worse'} in {self.words}"

    @property
    def as_good(self) -> str:
        """That one method equals another, before the other's name."""
        return "as accurate as" if self.is_accuracy else f"as good in {self.words} as"

    @property
    def is_as_good(self) -> str:
        """That methods equal another one which is not named."""
        return "as accurate" if self.is_accuracy else f"as good in {self.words}"

    def in_metric(self, text: str) -> str:
        """A title, a caption or a heading that was written for accuracies, for this metric.

        >>> MetricText("rmse", minimized=True).in_metric("Bold: the highest mean test accuracy in per cent.")
        'Bold: the lowest mean test rmse.'
        """
        if self.is_accuracy:
            return text
        for of_accuracies, of_any in (*_OF_ANY, *(_OF_MINIMIZED if self.minimized else ())):
            text = re.sub(of_accuracies, of_any, text)
        return re.sub("accuracy", self.words, text)

    def in_header(self, header: str) -> str:
        """The names of the columns of a CSV that was made for accuracies, for this metric.

        >>> MetricText("bits per byte").in_header("n,test_accuracy_mean")
        'n,test_bits_per_byte_mean'
        """
        return header.replace("accuracy", self.words.replace(" ", "_"))


#: Of the accuracy, and of the differences that are measured in it.
ACCURACY_TEXT: Final = MetricText()

#: What is said of accuracies alone, as it is said of any metric.
_OF_ANY: Final = (
    (r",? in (per ?cent|percent|points)\b", ""),
    (r"an accuracy", "a value"),
    (r"had the same accuracy", "had the same value"),
    (r"has no accuracy", "has no value"),
    (r", which stands beside them\.", "."),
    (r", whose variance is not taken for less than the test images can resolve;", ";"),
)
#: What is said where larger values are better, as it is said where smaller ones are.
_OF_MINIMIZED: Final = (
    (r"how far its best value is above its worst", "how far apart its best value and its worst one are"),
    (r"expected to be above the pick", "expected to be better than the pick"),
    (r"how far the trial of the next highest expectation is above it", "how far that of the next trial is from it"),
    (
        r"mean difference, plus what the search's model expects this pick to lack, minus what the baseline's lacks",
        "mean difference, less what the search's model expects this pick to lack, plus what the baseline's lacks",
    ),
    (r"which luck has raised where", "which luck has made better where"),
    (r"the highest mean", "the lowest mean"),
    (r"\bPeak\b", "Optimum"),
    (r"\bpeak\b", "optimum"),
    (r"\bpeaks\b", "optima"),
    (r"where the curve of the model is highest", "where the curve of the model is lowest"),
    (r"triangles on the axis lie below it", "triangles on the axis lie beyond it"),
    (r"Gain over the baseline", "Difference to the baseline"),
    (r"Whether a gain may", "Whether a difference may"),
)


#: Tables and figures that are about accuracies, whatever a study is judged by.
_OF_ACCURACIES: Final = frozenset(
    {
        *("accuracy", "papers", "class-accuracy", "objectives", "robustness", "attack-warnings", "trade-off"),
        *("corruptions", "corruption-accuracy", "attack-strength", "corruption-severity", "robust-strength"),
    }
)


def of_metric(data: Snapshot, name: str) -> MetricText:
    """How a table or a figure of the report is written, by its name."""
    return ACCURACY_TEXT if name in _OF_ACCURACIES else metric_text(data)


@once
def metric_text(data: Snapshot) -> MetricText:
    """How the metric of a study is written."""
    metric = data.metric
    if metric.is_accuracy:
        return ACCURACY_TEXT
    return MetricText(metric.words, 1.0, f".{decimals(data)}f", metric.unit, metric.unit, metric.minimized)


def text_of(data: Snapshot, measure: str) -> MetricText:
    """How a measure of ``comparisons`` is written: those of robustness and calibration are accuracies."""
    return metric_text(data) if is_of_metric(measure) else ACCURACY_TEXT


def left_out(data: Snapshot) -> str | None:
    """What the report of a study by another metric leaves out, in a sentence; None where it is by the accuracy."""
    if data.metric.is_accuracy:
        return None
    runs = count(len(data.final), "confirmed run")
    accuracies = any(row["test_accuracy"] is not None for row in data.final)
    beside = f" Their accuracies stand beside it, for the {runs}." if accuracies else ""
    return (
        f"The study is judged by the {data.metric.words}, so what only accuracies have is left out: the error of a "
        f"finite test set, the least spread that the test images allow, the level of guessing and the papers' measures."
        f"{beside}"
    )
