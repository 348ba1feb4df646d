import re
import xml.etree.ElementTree as ET

import pytest

from analysis.exports.rendered_figure import render
from analysis.figures.catalogue import FIGURES


def test_a_panel_stands_alone_and_nothing_is_drawn_twice(data, monkeypatch):
    from matplotlib.axes import Axes
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    (figure,) = (figure for figure in FIGURES if figure.name == "learning-curves")
    numbers = figure.compute(data)
    done = []
    for owner, name in ((Axes, "draw"), (ConstrainedLayoutEngine, "execute")):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, name=name, real=real, **k: (done.append(name), real(*a, **k))[1])
    rendered, files = render(figure, numbers)
    assert len(rendered.panels) == len(numbers.panels) > 1
    assert done.count("execute") == 1
    assert done.count("draw") == 3 * len(numbers.panels)  # SVG, PDF and PNG
    titles = [panel.data for panel in numbers.panels]
    for place, panel in enumerate(rendered.panels):
        root = ET.fromstring(panel.svg)
        assert [title for title in titles if title in set(root.itertext())] == [titles[place]]
        width, height = (float(side) for side in root.attrib["viewBox"].split()[2:])
        texts = [float(x) for x in re.findall(r'<text[^>]* x="([\d.-]+)"', panel.svg)]
        assert texts
        assert all(0 <= x <= width for x in texts)
        assert (width, height) == pytest.approx((72 * 4.1, 72 * 3.4), abs=0.01)
    assert set(titles) <= set(ET.fromstring(files["figures/learning-curves.svg"]).itertext())
