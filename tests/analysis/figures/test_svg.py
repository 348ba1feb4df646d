import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from matplotlib.image import imread

import analysis
from analysis.exports.rendered_figure import render
from analysis.figures import svg
from analysis.figures.catalogue import FIGURES
from analysis.figures.layout import PAPER
from analysis.figures.style import COLOURS, INK


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_svg_is_well_formed_themed_and_the_same_twice(rich_data, figure):
    numbers = figure.compute(rich_data)
    if figure.name in ("robust-strength", "objectives"):
        assert not numbers.panels  # tested elsewhere, with studies that have them
        return
    first = svg.svg(figure.draw(numbers), "a")
    root = ET.fromstring(first)
    assert first == svg.svg(figure.draw(numbers), "a")
    assert f'="{INK}"' in first
    # Programs that know no CSS variables, or no rules at all, draw it in its colours.
    assert not re.search(r'var\(|currentColor|style="[^"]*(?:fill|stroke): ', first)
    assert "width" not in root.attrib
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("a-") for name in ids)


def test_the_page_replaces_every_colour_on_dark_paper():
    css = (Path(svg.__file__).parents[1] / "exports" / "templates" / "page.css").read_text(encoding="utf-8")
    for colour in (INK, *COLOURS):
        for attribute in ("fill", "stroke"):
            assert f'.panel [{attribute}="{colour}"]' in css


@pytest.mark.parametrize("program", ["rsvg-convert", "inkscape", "cairosvg"])
def test_other_programs_draw_the_colours(data, tmp_path, program):
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed; `apt-get install librsvg2-bin inkscape` or `pip install cairosvg`")
    (spec,) = (spec for spec in FIGURES if spec.name == "data-gain")
    numbers = spec.compute(data)
    _, files = render(spec, numbers, numbers, PAPER[2], "a study")
    drawing, picture = tmp_path / "a.svg", tmp_path / "a.png"
    drawing.write_bytes(files["figures/data-gain.svg"])
    how = {"inkscape": ["--export-type=png", f"--export-filename={picture}", "--export-background=white"]}
    subprocess.run([path, str(drawing), *how.get(program, ["-o", str(picture)])], check=True, capture_output=True)
    drawn = {tuple(pixel) for pixel in (imread(picture)[..., :3] * 255).round().astype(int).reshape(-1, 3).tolist()}
    for colour in (INK, COLOURS[0]):
        assert tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5)) in drawn


def test_users_matplotlib_settings_change_nothing(data):
    import matplotlib

    numbers = analysis.data_fraction(data)
    expected = svg.svg(analysis.draw_data_fraction(numbers), "a")
    with matplotlib.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert svg.svg(analysis.draw_data_fraction(numbers), "a") == expected
