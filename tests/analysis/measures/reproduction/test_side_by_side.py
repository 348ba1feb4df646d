"""Published numbers beside runs whose numbers are made up, so that every verdict is known."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.measures.reproduction.declared import Block, Column, Reproduction
from analysis.measures.reproduction.published import Published, published
from analysis.measures.reproduction.side_by_side import gain_verdict, side_by_side
from analysis.statistics import Estimate

PUBLISHED = {number.method: number for number in published("004_thesis", "Table2") if number.size == "50/class"}


class MadeUp:
    """A snapshot of confirmed runs alone: by method, accuracies on the test set and on validation images."""

    def __init__(self, runs):
        self.final = [
            {
                "regularizer": method,
                "seed": seed,
                "state": "complete",
                "fraction": 0.01,
                "images_per_class": 50,
                "n_test": 10_000,
                "test_accuracy": test,
                "val_accuracy": validation,
            }
            for method, (tested, validated) in runs.items()
            for seed, (test, validation) in enumerate(zip(tested, validated, strict=True))
        ]


def declared(*columns, in_place=""):
    block = Block(
        name="50",
        dataset="MNIST",
        model="small",
        in_place=in_place,
        trained_size=None,
        as_published=None,
        on_validation="v",
        columns=columns,
        baseline=("baseline", ""),
        sizes=("50/class",),
    )
    return Reproduction(
        name="x",
        title="X",
        paper="004_thesis",
        table="Table2",
        citation="",
        scale="small",
        command="",
        choices=(),
        deviations=(),
        blocks=(block,),
    )


BASELINE = Column(method="baseline", setting="", methods=("baseline",))
DB = Column(method="db", setting="best of [1e-6,3]", methods=("db-weak", "db-strong"))
SPREAD = np.array([-0.004, -0.002, 0.0, 0.002, 0.004])


def rows(runs, **options):
    made = side_by_side(declared(BASELINE, DB, **options), {"v": MadeUp(runs)})
    return {row.published.method: row for row in made}


def test_the_setting_is_picked_on_test_accuracy_and_on_validation_accuracy():
    row = rows(
        {
            "baseline": (0.90 + SPREAD, 0.9 + SPREAD),
            "db-weak": (0.91 + SPREAD, 0.95 + SPREAD),
            "db-strong": (0.92 + SPREAD, 0.94 + SPREAD),
        }
    )["db"]
    assert (row.measured.method, row.measured.accuracy.mean) == ("db-strong", pytest.approx(0.92))
    assert (row.validated.method, row.validated.accuracy.mean) == ("db-weak", pytest.approx(0.91))
    assert row.gain.mean == pytest.approx(0.02)
    assert row.published_gain == pytest.approx(0.92273 - 0.90195)


def test_the_difference_has_the_error_of_both_means():
    row = rows({"baseline": (0.90 + SPREAD, SPREAD), "db-weak": (0.92 + SPREAD, SPREAD)})["db"]
    number = PUBLISHED["db"]
    assert number.deviation == pytest.approx(0.0049)
    ours, theirs = np.var(SPREAD, ddof=1) / 5, number.deviation**2 / number.trials
    degrees = 4 * ((ours + theirs) / ours) ** 2
    half = stats.t.ppf(0.975, degrees) * math.sqrt(ours + theirs)
    assert row.difference.mean == pytest.approx(0.92 - number.accuracy)
    assert (row.difference.high - row.difference.low) / 2 == pytest.approx(half)


@pytest.mark.parametrize(
    ("level", "spread", "verdict"),
    [(0.0, 1.0, "cannot tell"), (0.0, 0.02, "agrees"), (0.03, 0.02, "differs"), (-0.03, 1.0, "differs")],
)
def test_levels(level, spread, verdict):
    tested = PUBLISHED["baseline"].accuracy + level + spread * SPREAD * 2
    row = rows({"baseline": (tested, SPREAD)})["baseline"]
    assert row.verdict == verdict
    assert rows({"baseline": (tested, SPREAD)}, in_place="another")["baseline"].verdict == "not compared"


def test_one_run_cannot_tell():
    row = rows({"baseline": ([0.9], [0.9]), "db-weak": ([0.92], [0.9])})["db"]
    assert (row.verdict, row.gain_verdict) == ("cannot tell", "cannot tell")


def test_what_was_not_trained_has_no_numbers():
    row = rows({})["db"]
    assert (row.measured, row.difference, row.gain, row.validated) == (None, None, None, None)


@pytest.mark.parametrize(
    ("published_gain", "low", "high", "verdict"),
    [
        (0.02, 0.015, 0.025, "agrees"),
        (0.02, -0.01, 0.03, "cannot tell"),
        (0.02, 0.001, 0.005, "differs"),
        (-0.02, 0.001, 0.005, "differs"),
        (-0.02, -0.03, -0.01, "agrees"),
    ],
)
def test_gains(published_gain, low, high, verdict):
    number = Published("p", "t", "d", "m", "x", "", "1", "last epoch", 0.9, None, 1000, "cell")
    assert gain_verdict(published_gain, number, Estimate(5, (low + high) / 2, low, high, "Student t")) == verdict
