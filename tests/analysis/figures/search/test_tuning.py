import analysis


def is_complete(row, regularizer, fraction):
    return (row["regularizer"], row["fraction"], row["state"]) == (regularizer, fraction, "complete")


def test_tuning_curve_spends_every_epoch_and_never_falls(data, lab, panel_of):
    panel = panel_of(analysis.tuning_curve(data), fraction=1.0, against="epochs")
    line = [point for point in panel.points if point.regularizer == "adadecay"]
    assert line[-1].epochs == 8 * 6 + 4 * 2
    best = [point.best for point in line if point.best is not None]
    assert best == sorted(best)
    assert best[-1] == max(row["value"] for row in data.trials if is_complete(row, "adadecay", 1.0))
    assert {point.best for point in panel.points if point.regularizer == lab.diverged} == {None}


def test_each_fraction_is_drawn_against_epochs_and_against_seconds(data):
    curve = analysis.tuning_curve(data)
    fractions = list(dict.fromkeys(panel.fraction for panel in curve.panels))
    assert [(p.fraction, p.against) for p in curve.panels] == [(f, a) for f in fractions for a in ("epochs", "seconds")]
    labels = [axes.get_xlabel() for axes in analysis.draw_tuning_curve(curve).axes]
    assert labels == [f"{panel.against} of training spent on the search" for panel in curve.panels]
