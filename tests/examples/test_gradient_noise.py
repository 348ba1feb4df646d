"""The example of a regularizer of one's own is as good as one inside."""

import subprocess
import sys
from pathlib import Path

import pytest

from tune_reg import load

EXAMPLES = Path(__file__).parents[2] / "examples"


def command(*arguments, timeout=200):
    return subprocess.run(
        [sys.executable, "-m", "tune_reg.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_it_is_short():
    assert len((EXAMPLES / "gradient_noise.py").read_text().splitlines()) < 40


def test_it_is_listed_and_cited():
    listed = command("list", "regularizers", "--plugin", EXAMPLES / "gradient_noise.py")
    assert "gradient-noise" in listed.stdout, listed.stderr
    cited = command("list", "regularizers", "--cite", "--plugin", EXAMPLES / "gradient_noise.py")
    assert "Adding Gradient Noise" in cited.stdout


def test_without_the_plugin_it_is_unknown():
    done = command("check", EXAMPLES / "gradient_noise.toml")
    assert done.returncode == 2
    assert "unknown regularizer 'gradient-noise'" in done.stderr


def test_a_plugin_that_fails_or_is_missing_is_one_line(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    for path, said in ((broken, "fails when run (ZeroDivisionError"), (tmp_path / "none.py", "is no Python file")):
        done = command("list", "regularizers", "--plugin", path)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.ray
@pytest.mark.slow
def test_it_runs_in_a_study_and_stands_in_the_report(tmp_path):
    out = tmp_path / "out"
    done = command("run", EXAMPLES / "gradient_noise.toml", "--out", out, "--plugin", EXAMPLES / "gradient_noise.py")
    assert done.returncode == 0, done.stderr
    results = load(out)
    assert set(results.final()["regularizer"].to_pylist()) == {"weight-decay", "gradient-noise"}
    assert list(results.provenance()["plugins"]) == ["gradient_noise.py"]
    assert "Adding Gradient Noise" in (out / "report" / "index.html").read_text()
