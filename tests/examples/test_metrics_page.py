"""docs/metrics.md: its study file and its lines of Python are what the page says."""

import re
import tomllib
from pathlib import Path

import own_loops

from tune_reg.study import Study

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def block(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def test_the_study_file_of_the_page_names_its_metric():
    keys = tomllib.loads(block("toml"))
    keys |= {"name": "x", "regularizers": ["l1"], "trainer": "own_loops:errors", "examples": own_loops.EXAMPLES}
    study = Study(**keys, training={"batch_size": 20})
    assert (study.metric.metric.name, study.metric.metric.minimized, study.metric.metric.unit) == ("rmse", True, "m")
    assert study.confirm.margin == 0.01


def test_the_lines_of_python_run():
    exec(block("python"), {})
