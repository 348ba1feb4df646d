import math

import pytest

from tune_reg.store import ACCURACY, Metric, metric_of

RMSE = Metric("rmse", "minimize", "m")


def test_a_study_that_names_no_metric_is_judged_by_the_accuracy():
    assert metric_of({}) == metric_of({"metric": {}}) == ACCURACY
    assert ACCURACY.is_accuracy
    assert (ACCURACY.validation_column, ACCURACY.test_column) == ("val_accuracy", "test_accuracy")


@pytest.mark.parametrize(
    ("table", "metric"),
    [
        ({"name": "rmse"}, Metric("rmse", "minimize")),
        ({"name": "rmse", "goal": "minimize", "unit": "m"}, RMSE),
        ({"name": "f1", "goal": "maximize"}, Metric("f1", "maximize")),
        ({"name": "f1"}, Metric("f1", "maximize")),
    ],
)
def test_the_metric_of_a_study(table, metric):
    assert metric_of({"metric": table}) == metric


def test_scores_are_better_the_larger_they_are():
    assert RMSE.score(0.1) > RMSE.score(0.2)
    assert ACCURACY.score(0.2) > ACCURACY.score(0.1)
    assert RMSE.value(RMSE.score(0.1)) == 0.1


def test_values_are_read_from_the_columns_of_the_metric():
    epoch = {"val_accuracy": 0.5, "val_loss": 0.7, "val_metric": 2.0}
    assert [metric.of_epoch(epoch) for metric in (ACCURACY, Metric("loss", "minimize"), RMSE)] == [0.5, 0.7, 2.0]
    assert math.isnan(RMSE.of_epoch({"val_accuracy": 0.5}))
    assert RMSE.of_run({"test_metric": 3.0, "test_accuracy": 0.5}) == 3.0
    assert RMSE.of_run({"test_metric": math.inf}) is None
    assert RMSE.of_run({}) is None
