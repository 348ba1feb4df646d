import xml.etree.ElementTree as ET

import pytest

import analysis
from analysis.figures import svg
from analysis.figures.catalogue import FIGURES
from analysis.figures.style import INK


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_svg_is_well_formed_themed_and_the_same_twice(rich_data, figure):
    numbers = figure.compute(rich_data)
    if figure.name in ("robust-strength", "objectives"):
        assert not numbers.panels  # tested elsewhere, with studies that have them
        return
    first = svg.svg(figure.draw(numbers), "a")
    root = ET.fromstring(first)
    assert first == svg.svg(figure.draw(numbers), "a")
    assert "currentColor" in first
    assert INK not in first
    assert "width" not in root.attrib
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("a-") for name in ids)


def test_users_matplotlib_settings_change_nothing(data):
    import matplotlib

    numbers = analysis.data_fraction(data)
    expected = svg.svg(analysis.draw_data_fraction(numbers), "a")
    with matplotlib.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert svg.svg(analysis.draw_data_fraction(numbers), "a") == expected
