"""The recipes of the page on one's own data, run as they stand."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tune_reg.regularizers import registry

PAGE = (Path(__file__).parents[1] / "docs" / "own-data.md").read_text(encoding="utf-8")
RECIPES = dict(
    zip(
        re.findall(r"^## (.+)$", PAGE, re.MULTILINE),
        re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL),
        strict=False,
    )
)


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_passes_the_check(title, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry.regularizers()))
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(20):
            pixels = np.full((50 + i, 40, 3), i, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{i}.png")
    exec(compile(RECIPES[title], title, "exec"), {"__name__": "__main__"})
    assert ": valid; hash " in capsys.readouterr().out


def test_every_recipe_is_there():
    assert len(RECIPES) == PAGE.count("```python") == 6
