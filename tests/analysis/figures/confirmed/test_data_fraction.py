import analysis
from tune_reg.store import load


def test_data_fraction_is_the_result_table(data):
    (panel,) = analysis.data_fraction(data).panels
    table = {
        (row.regularizer, row.fraction): row.test_accuracy for row in analysis.result_table(data) if row.test_accuracy
    }
    assert {(point.regularizer, point.x): point[2:] for point in panel.points} == table


def test_carried_strengths_are_a_panel_of_their_own(tmp_path, lab):
    parts = lab.parts_of()
    for table, key, rows in lab.parts_of():
        if table == "final" and rows[0]["fraction"] == 0.25:
            parts.append((table, f"{key}-carried", [{**rows[0], "search_fraction": 1.0}]))
    numbers = analysis.data_fraction(load(lab.write_study(tmp_path, parts)))
    assert [panel.search_fraction for panel in numbers.panels] == [None, 1.0]
    assert {point.x for point in numbers.panels[1].points} == {0.25, 1.0}


def test_carried_and_searched_strengths_stand_side_by_side(rich_data):
    numbers = analysis.data_fraction(rich_data)
    assert [panel.data for panel in numbers.panels] == [
        "strength searched at each size",
        "strength from 100 % of the data",
    ]
    table = {(row.regularizer, row.fraction, row.search_fraction): row for row in analysis.result_table(rich_data)}
    gain, gap = analysis.data_gain(rich_data), analysis.generalization_gap(rich_data)
    for panel, source in zip(gain.panels, (None, 1.0), strict=True):
        assert len(panel.points) == 6
        for point in panel.points:
            row = table[point.regularizer, point.x, source or point.x]
            assert (point.n, point.mean, point.low) == row.difference[:3]
    for panel, source in zip(gap.panels, (None, 1.0), strict=True):
        for point in panel.points:
            row = table[point.regularizer, point.x, source or point.x]
            assert (point.n, point.mean, point.low, point.high) == row.generalization_gap[:4]


def test_a_single_amount_of_ten_images_a_class_is_drawn_without_a_warning(data):
    # The warning of matplotlib, which tests turn into an error, comes with this number alone.
    panels = [
        panel._replace(points=tuple(point._replace(x=10.0) for point in panel.points if point.x == 1.0))
        for panel in analysis.data_gain(data).panels
    ]
    analysis.draw_data_fraction(analysis.data_gain(data)._replace(per_class=True, panels=tuple(panels)))
