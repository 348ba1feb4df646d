import numpy as np
import pytest

import analysis
from analysis.measures.data_equivalence import BELOW, BEYOND, MEASURED, images_needed
from tune_reg.store import load


def test_images_are_interpolated_in_log():
    sizes = np.array([100.0, 1000.0, 10_000.0])
    curves = np.array([[0.8, 0.9, 0.95]] * 4)
    targets = np.array([0.85, 0.925, 0.8, 0.95])
    expected = [10**2.5, 10**3.5, 100.0, 10_000.0]
    np.testing.assert_allclose(images_needed(sizes, curves, targets), expected)


def test_a_flat_stretch_is_reached_at_its_first_image():
    needed = images_needed(np.array([100.0, 1000.0, 10_000.0]), np.array([[0.8, 0.9, 0.9]]), np.array([0.9]))
    assert needed == pytest.approx(1000)


def reference(data, name, fraction):
    """The point estimate from the rows, by numpy's own interpolation."""
    rows = [row for row in data.final if row["fraction"] == row["search_fraction"]]
    curve = {}
    for at in (0.1, 0.3, 1.0):
        runs = [row["test_accuracy"] for row in rows if row["regularizer"] == data.baseline and row["fraction"] == at]
        curve[round(5000 * at)] = np.mean(runs)
    target = np.mean([r["test_accuracy"] for r in rows if r["regularizer"] == name and r["fraction"] == fraction])
    return np.exp(np.interp(target, list(curve.values()), np.log(list(curve))))


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_point_is_numpys_interpolation(rich, fraction):
    data = analysis.Snapshot(load(rich))
    (equivalence,) = [
        row
        for row in analysis.equivalences(data)
        if (row.regularizer, row.fraction, row.search_fraction) == ("adadecay", fraction, fraction)
    ]
    assert equivalence.place == MEASURED
    assert equivalence.needed == pytest.approx(reference(data, "adadecay", fraction))
    assert equivalence.n == 8
    assert equivalence.low < equivalence.needed < equivalence.high
    # The study was made with 0.05 a decade of images and a gain of 0.012: 10 ** (0.012 / 0.05) times as many.
    assert equivalence.low < round(5000 * fraction) * 10 ** (0.012 / 0.05) * 1.02
    assert equivalence.factor == pytest.approx(10 ** (0.012 / 0.05), rel=0.06)


def test_nothing_is_extrapolated(rich):
    places = {
        (row.regularizer, row.place)
        for row in analysis.equivalences(load(rich))
        if row.fraction == row.search_fraction == 1
    }
    assert places == {("adadecay", BEYOND), ("residual-smoothing", BEYOND)}


def test_worse_than_the_baseline_needs_fewer_images_or_less_than_measured(tmp_path, lab):
    def worse(row):
        lower = 0.03 if row["regularizer"] == "adadecay" else 0.0
        return {**row, "test_accuracy": row["test_accuracy"] - lower}

    results = load(lab.write_rich(tmp_path, lab.changed(lab.rich_parts(), "final", worse)))
    by_fraction = {
        row.fraction: row
        for row in analysis.equivalences(results)
        if row.regularizer == "adadecay" and row.fraction == row.search_fraction
    }
    assert by_fraction[0.1].place == BELOW
    assert by_fraction[1.0].factor < 1


def test_one_seed_has_no_interval(tmp_path, lab):
    results = load(lab.write_rich(tmp_path, lab.rich_parts(seeds=1)))
    assert {(row.n, row.low, row.high) for row in analysis.equivalences(results)} == {(1, None, None)}


def test_one_size_has_no_curve(tmp_path, lab):
    parts = lab.changed(lab.rich_parts(), "final", lambda row: row if row["fraction"] == 1 else None)
    assert analysis.equivalences(load(lab.write_rich(tmp_path, parts))) == ()
