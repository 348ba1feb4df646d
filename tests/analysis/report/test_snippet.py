"""The program that a report shows to train the winner again, run."""

import in_process
import pytest
from digits import digits_study

from analysis.report.snippet import snippet
from tune_reg import load


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "regularizers": {"both": {"regularizer": ["weight-decay", "label-smoothing"]}},
            "training": {"epochs": 2, "batch_size": 64, "optimizer": "adam", "learning_rate_schedule": "cosine"},
            "search": {"learning_rate": [0.001, 0.003], "trials": 1},
            "images_per_class": [20],
            "seed": 3,
        },
    ],
)
def test_it_trains_the_confirmed_run_again(settings, tmp_path):
    results = load(in_process.run_study(digits_study(**settings), tmp_path).directory)
    names = {}
    exec(snippet(results), names)
    (row,) = results.final().to_pylist()
    assert names["accuracy"] == row["test_accuracy"]
    assert names["loss"] == pytest.approx(row["test_loss"])


def test_without_a_verdict_there_is_none(tmp_path):
    in_process.opened(digits_study(), tmp_path)
    assert snippet(load(tmp_path)) is None
