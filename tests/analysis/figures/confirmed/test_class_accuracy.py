import numpy as np
import pytest
from scipy import stats

import analysis
from analysis.figures.confirmed import class_accuracy
from tune_reg.store import load


def by_class(row):
    """Four classes, in which every method differs from the baseline by something else; the last has no test image."""
    if row["state"] != "complete":
        return row
    noise = 0.01 * ((3 * row["seed"]) % 5) * (row["regularizer"] != "weight-decay")
    gain = 0.05 * (row["regularizer"] == "adadecay")
    accuracies = [0.8 + gain + noise, 0.7 - gain, 0.5, None]
    return {**row, "test_class_accuracy": accuracies, "test_class_images": [40, 50, 60, 0]}


@pytest.fixture
def classes(tmp_path, lab):
    return load(lab.write_study(tmp_path, lab.changed(lab.parts_of(), "final", by_class)))


def test_differences_are_paired_by_seed_with_the_interval_of_t(classes):
    rows = {(row.regularizer, row.label): row for row in analysis.class_differences(classes)}
    assert {label for _, label in rows} == {0, 1, 2}  # nothing is known of a class without an image
    row = rows["adadecay", 0]
    differences = [0.05 + 0.01 * ((3 * seed) % 5) for seed in range(5)]
    assert (row.images, row.difference.n, row.baseline) == (40, 5, pytest.approx(0.8))
    interval = stats.t.interval(0.95, 4, np.mean(differences), stats.sem(differences))
    assert row.difference[1:4] == pytest.approx((np.mean(differences), *interval))
    assert rows["adadecay", 1].difference.mean == pytest.approx(-0.05)


def test_runs_that_agree_have_an_interval_as_wide_as_the_images_of_the_class_can_tell(classes):
    (row,) = [row for row in analysis.class_differences(classes) if (row.regularizer, row.label) == ("adadecay", 2)]
    half = stats.t.ppf(0.975, 4) * np.sqrt(1 / (6 * 60**2) / 5)
    assert row.difference[1:4] == pytest.approx((0.0, -half, half))


def test_it_is_of_the_training_set_of_the_verdict_and_draws_a_panel_a_method(classes):
    numbers = analysis.class_accuracy(classes)
    assert [panel.regularizer for panel in numbers.panels] == ["adadecay", "residual-smoothing"]
    assert {panel.data for panel in numbers.panels} == {"100 % of the data"}
    axes = analysis.draw_class_accuracy(numbers).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0 (40)", "1 (50)", "2 (60)"]
    assert "n = 5 pairs of runs" in axes.get_title()


def test_of_very_many_classes_those_with_the_largest_differences_are_drawn(classes, monkeypatch):
    monkeypatch.setattr(class_accuracy, "MOST_CLASSES", 2)
    axes = analysis.draw_class_accuracy(analysis.class_accuracy(classes)).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["1 (50)", "0 (40)"]


def test_directories_without_it_have_no_such_figure(data):
    assert analysis.class_accuracy(data).panels == ()
