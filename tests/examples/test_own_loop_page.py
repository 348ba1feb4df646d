"""docs/own-loop.md: its study file and its loop are run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tune_reg import load

PAGE = (Path(__file__).parents[2] / "docs" / "own-loop.md").read_text()


def block(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def test_the_loop_of_the_page_passes_the_check(tmp_path, monkeypatch, tune_reg):
    (tmp_path / "my_loop.py").write_text(block("python"))
    (tmp_path / "study.toml").write_text(block("toml"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    code, out, error = tune_reg("check", "study.toml")
    assert (code, error) == (0, "")
    assert "my_loop:train on 400 examples of its own; epochs a run: 6" in out


@pytest.mark.ray
@pytest.mark.slow
def test_the_page_is_run_as_it_stands(tmp_path):
    (tmp_path / "my_loop.py").write_text(block("python"))
    (tmp_path / "study.toml").write_text(block("toml") + "\n[confirm]\nseeds = 2\n")
    command = [sys.executable, "-m", "tune_reg.cli", "run", "study.toml", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    final = load(tmp_path / "out").final().to_pylist()
    assert {(row["state"], row["n_test"], row["dataset"]) for row in final} == {("complete", 169, "own data")}
    assert "my_loop:train" in (tmp_path / "out" / "report" / "index.html").read_text()


def test_every_piece_of_the_handle_stands_on_the_page():
    from tune_reg import TrainerRun

    public = {name for name in vars(TrainerRun) if not name.startswith("_")} - {"seed_globals", "unused"}
    missing = {name for name in public if f"run.{name}" not in PAGE}
    assert not missing
