"""The command as a user meets it: what it prints, and how it ends."""

import re
import shutil
from pathlib import Path

import pytest

WRITTEN_BY_0_1 = Path(__file__).parents[1] / "written_by_0_1" / "finished"
STUDY = """
name = "small"
dataset = "digits"
model = "nn-2"
regularizers = ["weight-decay", "adadecay"]
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_check_prints_the_plan(tune_reg, study):
    code, out, err = tune_reg("check", study)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    # 16 trials of 10 epochs; 5 to 20 seeds of 10 epochs; at most (16 + 20) x 10 x 1197 images
    assert ["adadecay", "16", "160", "5-20", "50-200", "430,920"] in rows
    assert ["total", "32", "320", "10-40", "100-400", "861,840"] in rows


def test_check_says_what_can_be_decided(tune_reg, study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, out, _ = tune_reg("check", study)
    (line,) = [line for line in out.splitlines() if line.startswith("confirmed ")]
    assert "in rounds of 5, 8, 12 and 20 seeds until decided: " in line
    assert line.endswith("vary between seeds by 0.5 points (a guess)")
    study.write_text(f"{STUDY}[confirm]\nseeds = 1\n")
    assert (
        "warning: 1 seed can decide nothing; leave confirm.seeds out, or take 5 or more" in tune_reg("check", study)[1]
    )


def test_run_prints_the_plan_of_a_study_as_its_directory_was_begun(tune_reg, study, tmp_path, monkeypatch):
    monkeypatch.setattr("tune_reg.backends.ray.launch.run_study", lambda *_, **__: None)
    monkeypatch.setattr("tune_reg.cli.study_commands.report", lambda _: None)
    out = tmp_path / "out"

    def total():
        lines = [line.split() for line in tune_reg("run", study, "--out", out)[1].splitlines()]
        return next(cells[3] for cells in lines if cells and cells[0] == "total")

    assert total() == "10-40"
    out.mkdir()
    (out / "study.toml").write_text(f"{STUDY}[confirm]\nseeds = 6\n")
    assert total() == "12"
    (out / "study.toml").write_text("not TOML")
    assert total() == "10-40", "what is wrong there the run says itself"


def test_check_takes_the_spread_of_another_study(tune_reg, study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(WRITTEN_BY_0_1, tmp_path / "before")
    code, out, err = tune_reg("check", study, "--prior", "before")
    assert (code, err) == (0, "")
    (line,) = [line for line in out.splitlines() if line.startswith("confirmed ")]
    assert re.search(r"vary between seeds by [\d.]+ points \(as in before\)$", line)
    _, _, err = tune_reg("check", study, "--prior", "nowhere")
    assert "nowhere holds no study" in err


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("lanes = 4", None),
        ("lanes = 'auto'", None),
        ("lanes = 4\n[training]\noptimizer = 'adam'", None),
        ("lanes = 4\n[training]\nbatch_size_schedule = 'sigmoid'", None),
        (
            "lanes = 4\n[regularizers.weight-decay]\nbatch_size = [32, 64]",
            "they train one at a time; lanes: batch_size must be the same in all lanes, but weight-decay searches it",
        ),
    ],
)
def test_check_says_where_lanes_mean_nothing(tune_reg, study, keys, said):
    # A study names its methods in a list or in tables.
    text = STUDY.replace("regularizers =", "# regularizers =") if "[regularizers" in keys else STUDY
    study.write_text(f"{text}[resources]\n{keys}\n")
    code, out, err = tune_reg("check", study)
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("resources.lanes")]
    assert len(lines) == (said is not None)
    assert said is None or said in lines[0]


def test_check_says_how_gpus_of_this_machine_would_be_used(tune_reg, study, monkeypatch):
    before = tune_reg("check", study)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    code, out, err = tune_reg("check", study)
    assert (code, err) == (0, "")
    new = [line for line in out.splitlines() if line not in before[1].splitlines()]
    assert new == [
        "gpus: auto, 2 GPUs are at hand, and a trial has one",
        "lanes: auto, measured on each GPU before the first group",
    ]
    study.write_text(f"{STUDY}[resources]\ngpus = 0\n")
    assert "auto" not in tune_reg("check", study)[1]


def test_check_says_loudly_where_the_test_set_picks(tune_reg, study):
    study.write_text('protocol = "paper"\n' + STUDY)
    assert "picked on the TEST set" in tune_reg("check", study)[1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (STUDY.replace("adadecay", "adadecy"), "unknown regularizer 'adadecy'; did you mean 'adadecay'?"),
        (STUDY.replace("nn-2", "nn-2x"), "model: unknown model 'nn-2x'; did you mean 'nn-2'?"),
        (STUDY.replace("digits", "digit"), "dataset: unknown data set 'digit'; did you mean 'digits'?"),
        (STUDY + "[search]\ntrials = 0", "search.trials: must be greater than or equal to 1, but got 0"),
        (STUDY + "seed = ", "is not valid TOML: Invalid value (at line 6"),
        (STUDY + "fractions = [0.01]", "training.batch_size: must be <= the images of the smallest training set (12)"),
        (STUDY + "fractions = [1.5]", "fractions.0: must be less than or equal to 1, but got 1.5"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tune_reg, study, tmp_path, wrong, said):
    study.write_text(wrong)
    for command in (["check", study], ["run", study, "--out", tmp_path / "out"]):
        code, _, err = tune_reg(*command)
        assert code == 2
        assert said in err
        assert err.startswith(f"tune-reg: {study}: ")
        assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_directory_that_cannot_be_written(tune_reg, study):
    code, _, err = tune_reg("run", study, "--out", "/proc/nowhere")
    assert code == 2
    assert err.count("\n") == 1
    assert "--out /proc/nowhere: cannot be written" in err


def test_a_directory_of_another_study_is_refused_and_left_alone(tune_reg, study, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    from tune_reg import Study

    (out / "study.toml").write_text(Study.from_toml(study).to_toml())
    study.write_text(STUDY + "[search]\ntrials = 3")
    code, _, err = tune_reg("run", study, "--out", out)
    assert code == 2
    assert "belongs to another study (search.trials is 16 there and can only grow, but is 3 here)" in err
    assert [path.name for path in out.iterdir() if not path.name.startswith(".")] == ["study.toml"]


def test_a_directory_in_use_names_its_holder(tune_reg, study, tmp_path):
    from tune_reg.storage.exclusive import exclusive

    with exclusive(tmp_path / "out"):
        code, _, err = tune_reg("run", study, "--out", tmp_path / "out")
    assert code == 2
    assert "in use by process" in err


def test_a_report_of_nothing(tune_reg, tmp_path):
    code, _, err = tune_reg("report", tmp_path)
    assert code == 2
    start = f"tune-reg: {tmp_path} holds no study: study.toml is missing; run `tune-reg run STUDY"
    assert err == f"{start} --out {tmp_path}` first\n"


def test_the_last_lines_of_a_report_are_the_answer(tune_reg, tmp_path, monkeypatch):
    import analysis

    directory = shutil.copytree(Path(__file__).parents[1] / "written_by_0_1" / "finished", tmp_path / "DIR")
    monkeypatch.setattr(analysis, "report", lambda *_, **__: "the page")  # drawing takes long
    code, out, err = tune_reg("report", directory)
    assert (code, err) == (0, "")
    which, decided, believe, page = out.splitlines()[-4:]
    assert decided.startswith(
        "decided? With the settings that this search found, against weight-decay: adadecay: superior (5 pairs); "
    )
    assert which.startswith("which: adadecay: 97.17 %")
    assert believe.startswith("believe it? Not yet: it is better with the settings that were found")
    assert believe.endswith(
        "no number of seeds would decide it, as the luck of the searches is larger: more trials would."
    )
    assert page == "report: the page"


def test_an_unknown_command_is_exit_code_2(tune_reg):
    code, _, err = tune_reg("frobnicate")
    assert code == 2
    assert "No such command 'frobnicate'" in err


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("regularizers", ["adadecay", "residual-smoothing", "weight-decay"]),
        ("models", ["nn-2", "lenet-4", "small-cnn", "resnet-20"]),
        ("datasets", ["digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "svhn"]),
        ("spaces", ["adadecay.alpha", "residual-smoothing.b", "weight-decay.weight_decay"]),
        ("attacks", ["robustness.fgsm", "robustness.pgd_l2", "robustness.autoattack_linf", "robustness.autoattack_l2"]),
    ],
)
def test_list(tune_reg, what, words):
    code, out, _ = tune_reg("list", what)
    assert code == 0
    firsts = [line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")]
    assert set(words) <= set(firsts)


def test_list_cites(tune_reg):
    out = tune_reg("list", "regularizers", "--cite")[1]
    assert "Adaptive Weight Decay for Deep Neural Networks" in out


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["list", "models", "--cite"], "--cite"),
        (["run", "STUDY", "--out", "out", "--only", "robustness", "--prior", "out"], "--prior"),
        (["run", "STUDY", "--out", "out", "--only", "robustness", "--retry-failed"], "--retry-failed"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(tune_reg, study, words, option):
    code, _, err = tune_reg(*(study if word == "STUDY" else word for word in words))
    assert (code, err.count("\n")) == (2, 1)
    assert f"{option}: means nothing with" in err


def test_version(tune_reg):
    assert tune_reg("--version")[1] == "0.1.0\n"
