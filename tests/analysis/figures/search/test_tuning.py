import analysis


def is_complete(row, regularizer, fraction):
    return (row["regularizer"], row["fraction"], row["state"]) == (regularizer, fraction, "complete")


def test_tuning_curve_spends_every_epoch_and_never_falls(data, lab, panel_of):
    panel = panel_of(analysis.tuning_curve(data), fraction=1.0)
    line = [point for point in panel.points if point.regularizer == "adadecay"]
    assert line[-1].epochs == 8 * 6 + 4 * 2
    best = [point.best for point in line if point.best is not None]
    assert best == sorted(best)
    assert best[-1] == max(row["value"] for row in data.trials if is_complete(row, "adadecay", 1.0))
    assert {point.best for point in panel.points if point.regularizer == lab.diverged} == {None}
