"""A few figures as pictures: what numbers cannot show, such as a legend on top of the points.

After a wanted change draw them anew and look at them:
UPDATE_GOLDEN=1 python -m pytest tests/analysis/figures/test_golden.py
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.testing.compare import compare_images

import analysis
from analysis.figures.catalogue import FIGURES
from tune_reg.store import load

GOLDEN = Path(__file__).parent / "golden"
#: Of 255, root mean square: a moved letter is less, a missing line is more.
TOLERANCE = 4


@pytest.mark.parametrize("name", ["strength-response", "data-gain", "attack-strength"])
def test_it_looks_as_it_did(rich, tmp_path, name):
    (spec,) = (spec for spec in FIGURES if spec.name == name)
    figure = spec.draw(spec.compute(analysis.Snapshot(load(rich))))
    golden = GOLDEN / f"{name}.png"
    picture = golden if os.environ.get("UPDATE_GOLDEN") else tmp_path / f"{name}.png"
    figure.savefig(picture, dpi=50, metadata={"Software": None})
    plt.close(figure)
    assert compare_images(str(golden), str(picture), tol=TOLERANCE) is None


def test_a_missing_line_would_be_seen(rich, tmp_path):
    (spec,) = (spec for spec in FIGURES if spec.name == "data-gain")
    figure = spec.draw(spec.compute(analysis.Snapshot(load(rich))))
    for line in figure.axes[0].get_lines()[-4:]:
        line.set_visible(False)
    picture = tmp_path / "data-gain.png"
    figure.savefig(picture, dpi=50)
    plt.close(figure)
    assert compare_images(str(GOLDEN / "data-gain.png"), str(picture), tol=TOLERANCE) is not None
