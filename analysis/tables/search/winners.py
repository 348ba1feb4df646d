"""The pick of each search: what is expected of it, how luckily it was seen, and what cannot be told from it."""

from __future__ import annotations

from typing import Final

from analysis.formatting import NONE, setting_text
from analysis.measures.search.picks import Pick, Region, picks
from analysis.metric_text import MetricText, metric_text
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def winner_table(data: Snapshot) -> Table:
    """The picked trial of every search of two configurations or more."""
    numbers, text = picks(data), metric_text(data)
    seen, expected = (f"{word}, {text.unit}" if text.unit else word for word in ("Seen", "Expected"))
    above = "Seen above expected" if text.is_accuracy else "Seen better than expected by"
    kind = "Test" if data.picked_on_test else "Validation"
    headings = (
        *("Training data", "Regularizer", "Trial", "Epochs", f"{kind} images", seen, expected),
        *(above, "Regret", "Next trial", "Best trial, %", "Cannot be told from it", "Notes"),
    )
    texts = tuple(
        (
            where(data, row.fraction),
            row.regularizer,
            str(row.trial),
            f"{row.epochs:,}",
            NONE if row.images is None else f"{row.images:,}",
            NONE if row.observed is None else text.number(row.observed),
            _with_deviation(text, row.expected, row.deviation),
            NONE if row.optimism is None else text.signed(row.optimism),
            _with_deviation(text, row.regret, row.regret_deviation),
            NONE if row.margin is None else text.signed(-data.metric.score(row.margin)),
            NONE if row.best_probability is None else f"{100 * row.best_probability:.0f}",
            "; ".join(_region(name, region) for name, region in row.region.items()),
            text.in_metric(_notes(row)),
        )
        for row in numbers
    )
    return Table(headings, texts, numbers)


def _with_deviation(text: MetricText, value: float | None, deviation: float | None) -> str:
    if value is None or deviation is None:
        return NONE
    return f"{text.number(value)} ± {text.number(deviation)}"


def _region(name: str, region: Region) -> str:
    if region.whole:
        return f"any {name}"
    if region.values:
        return f"{name} {' or '.join(map(str, region.values))}"
    return f"{name} {setting_text(region.low)} to {setting_text(region.high)}"


def _notes(row: Pick) -> str:
    notes = []
    if row.ties:
        notes.append(f"{row.ties} other trial{'s' * (row.ties > 1)} had the same accuracy")
    if row.expected is None:
        notes.append("without a model: next trial is by what was seen")
    if row.chance:
        notes.append("not above guessing")
    return "; ".join(notes)


WINNER_TABLE: Final = TableSpec(
    "winners",
    "How sure the picks are, by {scored} accuracy",
    "By the model of final values from all trials of a search. Expected is the accuracy at the end of a training over "
    "seeds, ± one standard deviation of this estimate; seen is that of the last epoch that was trained, on one seed, "
    "which luck has raised where a trial was picked for it. Regret is how far the best configuration of the space is "
    "expected to be above the pick, in points; next trial, how far the trial of the next highest expectation is above "
    "it. Best trial is the probability that no other trial is better. A setting cannot be told from the pick where it "
    "is better with a probability of 5 % at least; the ranges are those of such settings, one hyperparameter at a "
    "time.",
    winner_table,
)
