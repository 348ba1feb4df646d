import re
import xml.etree.ElementTree as ET

import pytest

from analysis.exports.rendered_figure import render
from analysis.figures.catalogue import FIGURES
from analysis.figures.layout import PAPER
from analysis.report.content import named


def rendered_learning(data, study="a study"):
    (figure,) = (figure for figure in FIGURES if figure.name == "learning-curves")
    figure, numbers = named(figure, data), figure.compute(data)
    return numbers, *render(figure, numbers, numbers, PAPER[2], study)


def test_a_panel_stands_alone_and_nothing_is_drawn_twice(data, monkeypatch):
    from matplotlib.axes import Axes

    done = []
    real = Axes.draw
    monkeypatch.setattr(Axes, "draw", lambda self, *a, **k: (done.append(self.get_visible()), real(self, *a, **k))[1])
    numbers, rendered, files = rendered_learning(data)
    assert len(numbers.panels) > 1
    assert len(rendered.panels) == len(numbers.panels) + 1  # and the legend of all of them
    assert sum(done) == 3 * len(numbers.panels)  # SVG, PDF and PNG
    methods = {point.regularizer for panel in numbers.panels for point in panel.points}
    titles = [panel.data for panel in numbers.panels]
    for place, panel in enumerate(rendered.panels):
        root = ET.fromstring(panel.svg)
        words = {word.strip() for word in root.itertext()}
        assert [title for title in titles if title in words] == titles[place : place + 1]
        assert (methods <= words) == (place == len(numbers.panels))
        width = float(root.attrib["viewBox"].split()[2])
        texts = [float(x) for x in re.findall(r'<text[^>]* x="([\d.-]+)"', panel.svg)]
        assert texts
        assert all(0 <= x <= width for x in texts)
        assert width == pytest.approx(72 * 4.1, abs=0.01)  # also the legend: its type is as large as the others'
    together = {word.strip() for word in ET.fromstring(files["figures/learning-curves.svg"]).itertext()}
    assert {*titles, *methods} <= together


def test_a_figure_has_a_snippet_for_latex(data):
    _, rendered, files = rendered_learning(data, "50 % of_it")
    text = files["figures/learning-curves.tex"].decode()
    assert r"\begin{figure*}" in text
    assert "{learning-curves.pdf}" in text
    assert re.search(r"\\label\{fig:50-of-it-[0-9a-f]{6}:learning-curves\}", text)
    assert rendered.title in text
