"""What the README shows, run."""

import re
import tomllib
import warnings
from pathlib import Path

import pytest

from tune_reg import Study

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_study_is_valid():
    study, two, methods = blocks("toml")
    plain = tomllib.loads(study)
    assert Study(**plain).baseline == "weight-decay"
    search = {**plain["search"], **tomllib.loads(two)["search"]}
    assert Study(**{**plain, "search": search}).search.second_objective.epsilon == 0.1
    keys = {**tomllib.loads(study), **tomllib.loads(methods), "baseline": "plain"}
    assert len(Study(**keys).regularizers) == 7


def test_every_command_exists():
    from tune_reg.cli.app import app

    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    used = set(re.findall(r"^tune-reg (\w+)", "\n".join(blocks("sh")), re.MULTILINE))
    assert used
    assert used <= commands


@pytest.mark.ray
@pytest.mark.parametrize("code", blocks("python"), ids=["study", "loop", "tuner"])
def test_the_python_runs(code, tmp_path, monkeypatch, ray_cluster):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, in the stock Tuner
        exec(compile(code, "README.md", "exec"), {})


def test_the_studies_of_the_repository_are_valid():
    studies = sorted((Path(__file__).parents[1] / "studies").glob("*.toml"))
    assert [Study.from_toml(path).name for path in studies] == [path.stem for path in studies]
