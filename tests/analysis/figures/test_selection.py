import pytest

import analysis
from analysis.figures.catalogue import FIGURES
from analysis.figures.selection import MOST_METHODS, by_merit, drawn


@pytest.fixture
def few(monkeypatch):
    from analysis.figures import selection

    monkeypatch.setattr(selection, "MOST_METHODS", 2)


def spec_of(name):
    (spec,) = (spec for spec in FIGURES if spec.name == name)
    return spec


def test_merit_is_the_test_accuracy_below_the_baseline(rich_data):
    names = by_merit(rich_data)
    assert names[0] == rich_data.baseline
    assert sorted(names) == sorted(rich_data.regularizers)
    rows = {
        row.regularizer: row for row in analysis.result_table(rich_data) if row.fraction == row.search_fraction == 1.0
    }
    means = [rows[name].test_accuracy.mean for name in names[1:] if rows[name].test_accuracy]
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize("spec", FIGURES, ids=lambda spec: spec.name)
def test_what_fits_is_drawn_whole(rich_data, spec):
    numbers = spec.compute(rich_data)
    assert drawn(rich_data, spec, numbers) == (numbers, "")
    assert MOST_METHODS >= 14
    assert spec.most_panels >= (30 if spec.name != "class-accuracy" else 6)


@pytest.mark.usefixtures("few")
def test_a_figure_says_which_methods_it_leaves_out(rich_data):
    numbers = analysis.attack_strength(rich_data)
    shown, said = drawn(rich_data, spec_of("attack-strength"), numbers)
    assert len(shown.regularizers) == 2
    assert {point.regularizer for panel in shown.panels for point in panel.points} == set(by_merit(rich_data)[:2])
    assert "1 of 2 other regularizers" in said
    assert analysis.draw_attack_strength(shown).axes


def test_a_figure_says_how_many_panels_it_leaves_out(rich_data):
    spec = spec_of("strength-response")._replace(most_panels=3)
    numbers = spec.compute(rich_data)
    shown, said = drawn(rich_data, spec, numbers)
    assert 0 < len(shown.panels) <= 3
    assert f"{len(shown.panels)} of {len(numbers.panels)} panels" in said
    assert shown.panels[0].regularizer == rich_data.baseline
