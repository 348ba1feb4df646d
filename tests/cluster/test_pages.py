"""The cluster pages: their commands are ones of tune-reg, and those that need no cluster are run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from digits import digits_study
from pages import DOCS, commands
from processes import ROOT

from tune_reg import load
from tune_reg.cli.app import app

PAGES = ("laptop", "ray", "slurm", "kuberay", "spot")


def tune_reg_lines(text):
    """The words of each call of tune-reg in a page, up to what a shell would do with its output."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for call in re.findall(r"(?:^|do |&& |; )\s*(tune-reg [^>|;&#]*)", line):
                yield shlex.split(call)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_exists(page):
    group = typer.main.get_command(app)
    lines = list(tune_reg_lines((DOCS / "clusters" / f"{page}.md").read_text(encoding="utf-8")))
    assert lines
    for _, *words in lines:
        command = group
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= options, words


@pytest.mark.parametrize("page", PAGES)
def test_each_page_begins_with_commands_and_says_what_happens_when_and_what_it_costs(page):
    text = (DOCS / "clusters" / f"{page}.md").read_text(encoding="utf-8")
    assert text.index("```sh") < 200
    first = text.partition("```sh\n")[2].partition("```")[0]
    assert len(first.replace("\\\n", "").splitlines()) == 4
    faults = text.partition("## What happens when\n\n")[2].partition("\n\n")[0].splitlines()
    assert faults[0] == "| what happens | what is seen | what to do |"
    assert all(line.count("|") == 4 for line in faults)
    assert "\n## What it costs\n" in text


def test_the_manifests_of_the_kuberay_page_are_written(tmp_path, tune_reg, monkeypatch):
    (tmp_path / "study.toml").write_text(digits_study().to_toml())
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "clusters" / "kuberay.md").read_text(encoding="utf-8")
    submits = [words for _, *words in tune_reg_lines(text) if words[0] == "submit"]
    assert len(submits) == 2
    for words in submits:
        code, out, error = tune_reg(*(word.replace("REGISTRY", "registry.example") for word in words))
        assert (code, error) == (0, "")
        assert [document["kind"] for document in yaml.safe_load_all(out)] == ["ConfigMap", "RayJob"]


@pytest.mark.slow
@pytest.mark.ray
def test_the_commands_of_the_laptop_page(tmp_path):
    (tmp_path / "study.toml").write_text(digits_study().to_toml())
    page = commands(
        "clusters/laptop.md", 0, [("fashion-mnist", "digits"), ("tune-reg ", f"{sys.executable} -m tune_reg.cli ")]
    )
    path = str(Path(sys.executable).parent)
    environment = {
        "PATH": f"{path}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        ["bash", "-e", "-c", page],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert load(tmp_path / "out" / "mine").trials()["state"].to_pylist() == ["complete"] * 3
