"""Names, paths and files of a user's own: shown as they are, found where they lie, and no harm to tune-reg's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tune_reg as package

ROOT = Path(package.__file__).parents[1]

STUDY = """
name = {name!r}
dataset = "digits"
model = "{model}"
[regularizers.weight-decay]
[regularizers.{method!r}]
regularizer = "l1"
"""
METHOD = "m" + "1" * 79


def write(path: Path, *, name: str = "small", model: str = "nn-2-small", method: str = METHOD, more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STUDY.format(name=name, model=model, method=method) + more, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["wd [w/o dropout]", "CIFAR [/w aug]", "[/]", ":smile: [bold]", "Äöü 🎉", "x" * 80])
def test_names_are_shown_as_they_are(tune_reg, tmp_path, name):
    study = write(tmp_path / f"runs {name}".replace("/", "-") / "study.toml", name=name)
    code, out, err = tune_reg("check", study)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"{name}: nn-2-small on digits")
    assert any(line.startswith(f"{METHOD} ") for line in lines)
    assert lines[-1].startswith(f"{study}: valid")


def test_in_a_narrow_terminal_a_long_name_is_folded_and_whole(tmp_path):
    from rich.console import Console

    from tune_reg.display import tables
    from tune_reg.study import Study, make_plan

    plan = make_plan(Study.from_toml(write(tmp_path / "study.toml")))
    with pytest.MonkeyPatch.context() as patch, (tmp_path / "out").open("w+") as file:
        patch.setattr(tables, "console", Console(file=file, width=80, force_terminal=True, markup=False))
        tables.print_plan(plan)
        file.seek(0)
        assert "".join(line.split(" ")[0] for line in file.read().splitlines()).count("1") >= 79


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_line_ends_of_windows(tune_reg, tmp_path, end):
    study = write(tmp_path / "study.toml")
    plain = tune_reg("check", study)[1]
    study.write_bytes(b"\xef\xbb\xbf" + study.read_bytes().replace(b"\n", end.encode()))
    assert tune_reg("check", study) == (0, plain, "")


def test_the_home_folder_in_every_path(tune_reg, tmp_path, monkeypatch):
    from tune_reg import load
    from tune_reg.study import Study

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    study = write(tmp_path / "a" / "study.toml")
    (tmp_path / "a" / "plug.py").write_text("")
    code, _, err = tune_reg("check", "~/a/study.toml", "--plugin", "~/a/plug.py")
    assert (code, err) == (0, "")
    assert Study.from_toml("~/a/study.toml") == Study.from_toml(study)
    assert load("~/a").directory == load(Path("~/a")).directory == tmp_path / "a"
    for command in (["report", "~/b"], ["compare", "~/b", "~/c", "--out", "~/d"]):
        code, _, err = tune_reg(*command)
        assert code == 2
        assert f"{tmp_path}/b holds no study" in err
    assert not (tmp_path / "~").exists()


def test_a_home_folder_that_is_not_known(tune_reg, tmp_path):
    code, _, err = tune_reg("report", "~no-such-user/out")
    assert (code, err.count("\n")) == (2, 1)
    assert "~no-such-user/out: this home folder is not known" in err


NET = """
from torch import nn
def net(channels, size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size[0] * size[1], classes))
"""
PARSER = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument({!r})\nparser.parse_args()\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A user's folder, which the command is called in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_a_module_that_reads_its_own_command_line_takes_its_defaults(tune_reg, here):
    (here / "users_train.py").write_text(PARSER.format("--lr") + NET)
    code, _, err = tune_reg("check", write(here / "study.toml", model="users_train:net"))
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PARSER.format("lr"), "the following arguments are required: lr"),
        ("import sys; sys.exit(0)", "it ends the program (no error) when it is imported"),
        ("raise SystemExit('start it\\nby hand')", "it ends the program (start it by hand) when it is imported"),
    ],
)
def test_a_module_or_plugin_that_ends_the_program_is_one_line(tune_reg, here, text, said):
    (here / "users_ending.py").write_text(text + "\n" + NET)
    wrong = write(here / "wrong.toml", model="users_ending:net")
    right = write(here / "right.toml")
    for command in (
        ["check", wrong],
        ["check", right, "--plugin", "users_ending.py"],
        ["run", right, "--out", "out", "--plugin", "users_ending.py"],
    ):
        code, _, err = tune_reg(*command)
        assert (code, err.count("\n")) == (2, 1)
        assert said in err
        assert "users_ending" in err
    assert not (here / "out").exists()


def test_ctrl_c_in_a_plugin_is_no_mistake(here):
    from tune_reg.regularizers import load_plugin

    (here / "users_slow.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_plugin(here / "users_slow.py")


def test_a_function_that_ends_the_program_is_one_line(tune_reg, here):
    (here / "users_data.py").write_text("import sys\ndef digits():\n    sys.exit(0)\n")
    study = write(here / "study.toml")
    study.write_text(study.read_text().replace('"digits"', '"users_data:digits"'))
    code, _, err = tune_reg("check", study)
    assert (code, err.count("\n")) == (2, 1)
    assert "SystemExit" in err


#: Names of Python's own modules and of tune-reg's packages that a user's file may have.
THEIRS = ["queue", "random", "types", "select", "token", "copy", "analysis", "search_spaces"]


@pytest.fixture
def shadowed(tmp_path):
    """A folder with files called like Python's modules and tune-reg's packages, each of which fails when imported."""
    for name in THEIRS:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('the user\\'s own {name}')\n")
    return tmp_path


def call(folder: Path, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, str(ROOT))))}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_files_named_like_modules_harm_nothing(shadowed):
    write(shadowed / "study.toml")
    done = call(shadowed, "-P", "-m", "tune_reg.cli", "check", "study.toml")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_processes_that_draw_do_not_see_the_folder(shadowed):
    code = "from tune_reg import own_packages; own_packages.claim('analysis')\n"
    code += "from analysis.exports.processes import spread; print(spread(divmod, [(7, 2)], processes=2))"
    done = call(shadowed, "-P", "-c", code)
    assert (done.stdout, done.stderr) == ("[(3, 1)]\n", "")


def test_search_spaces_and_analysis_mean_ours_whatever_lies_on_the_path(tmp_path):
    """The folder stands on the path twice: as that of the command or script, and before ours in PYTHONPATH."""
    (tmp_path / "search_spaces.py").write_text(
        "def decay(trial):\n    return {'weight_decay': trial.suggest_float('weight_decay', 1e-5, 1e-2, log=True)}\n"
    )
    (tmp_path / "analysis.py").write_text("raise SystemExit('plots for the paper')\n")
    study = tmp_path / "study.toml"
    study.write_text(
        'name = "x"\ndataset = "digits"\nmodel = "nn-2-small"\n'
        '[regularizers.weight-decay]\nspace = "search_spaces:decay"\n'
    )
    done = call(tmp_path, "-m", "tune_reg.cli", "check", "study.toml", path=".")
    assert (done.returncode, done.stderr) == (0, "")
    script = tmp_path / "script.py"
    script.write_text("from tune_reg import Study\nprint(Study.from_toml('study.toml').name)\n")
    done = call(tmp_path, "script.py", path=".")
    assert (done.stdout, done.stderr) == ("x\n", "")


def test_a_file_that_hides_a_package_of_ours_is_named(tmp_path):
    (tmp_path / "search_spaces.py").write_text("")
    (tmp_path / "script.py").write_text("import search_spaces\nfrom tune_reg import Study\n")
    done = call(tmp_path, "script.py")
    last = done.stderr.splitlines()[-1]
    assert f"{tmp_path}/search_spaces.py: is called like search_spaces, a package of tune-reg" in last
    assert "rename this file" in last


def test_a_function_of_a_file_named_like_a_module(here):
    from tune_reg.user_function import import_function

    (here / "queue.py").write_text("def net():\n    return 'theirs'\n")
    assert import_function("queue:net", "model")() == "theirs"
    assert import_function("queue:Queue", "model").__module__ == "queue"
