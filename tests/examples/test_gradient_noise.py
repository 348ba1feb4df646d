"""The example of a new regularizer in one file: it is listed, cited, searched and reported like a built-in one."""

import subprocess
import sys

import pytest

from tune_reg import load


def tune_reg_process(*arguments):
    """Run the command in a process of its own, where no plugin is registered yet."""
    return subprocess.run(
        [sys.executable, "-m", "tune_reg.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_it_is_short(examples):
    assert len((examples / "gradient_noise.py").read_text().splitlines()) < 40


def test_it_is_listed_and_cited(examples):
    listed = tune_reg_process("list", "regularizers", "--plugin", examples / "gradient_noise.py")
    assert "gradient-noise" in listed.stdout, listed.stderr
    cited = tune_reg_process("list", "regularizers", "--cite", "--plugin", examples / "gradient_noise.py")
    assert "Adding Gradient Noise" in cited.stdout


def test_without_the_plugin_it_is_unknown(examples):
    done = tune_reg_process("check", examples / "gradient_noise.toml")
    assert done.returncode == 2
    assert "unknown regularizer 'gradient-noise'" in done.stderr


def test_a_plugin_that_fails_or_is_missing_is_one_line(tmp_path, tune_reg):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    for path, message in ((broken, "fails when run (ZeroDivisionError"), (tmp_path / "none.py", "is no Python file")):
        code, _, error = tune_reg("list", "regularizers", "--plugin", path)
        assert code == 2
        assert message in error
        assert error.count("\n") == 1


@pytest.mark.ray
@pytest.mark.slow
def test_it_runs_in_a_study_and_stands_in_the_report(tmp_path, examples):
    out, plugin = tmp_path / "out", examples / "gradient_noise.py"
    done = tune_reg_process("run", examples / "gradient_noise.toml", "--out", out, "--plugin", plugin)
    assert done.returncode == 0, done.stderr
    results = load(out)
    assert set(results.final()["regularizer"].to_pylist()) == {"weight-decay", "gradient-noise"}
    assert list(results.provenance()["plugins"]) == ["gradient_noise.py"]
    assert "Adding Gradient Noise" in (out / "report" / "index.html").read_text()
