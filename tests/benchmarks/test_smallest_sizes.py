"""Each benchmark at its smallest size: it ends, and its numbers are there. Nothing is said of how large they are."""

import csv
import json
import os
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

#: Those that take seconds, and are called in this process.
QUICK = (
    "ask_time",
    "attacks",
    "attack_strength",
    "autoattack",
    "claims",
    "convolutions",
    "digits_table",
    "early_stopping",
    "look_levels",
    "many_trials",
    "picked_on_test",
    "regularizer_step",
    "search_efficiency",
    "strength_table",
)
#: Those that start Ray or other processes. ``lanes`` is run in test_lanes.py.
SLOW = ("cluster_scale", "gpu_study", "lanes", "large_study", "report_speed", "vs_plain_tune")
#: What reads the results of a study. Its numbers are tested in test_weight_decay_and_data.py.
OF_RESULTS = ("weight_decay_and_data",)


@pytest.fixture
def numbers(main, tmp_path):
    """What a benchmark writes at its smallest size."""

    def call(program, *arguments):
        main(program, "--small", "--out", "numbers.json", *arguments)
        return json.loads((tmp_path / "numbers.json").read_text())

    return call


@pytest.fixture
def program_numbers(folder, tmp_path):
    """What a benchmark writes at its smallest size, run as a program of its own."""

    def call(program, *arguments):
        command = [sys.executable, folder / f"{program}.py", "--small", "--out", "numbers.json", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(folder.parent)}
        done = subprocess.run(
            list(map(str, command)), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads((tmp_path / "numbers.json").read_text()), done.stdout

    return call


def test_every_benchmark_is_run(folder):
    assert {path.stem for path in folder.glob("*.py")} == {*QUICK, *SLOW, *OF_RESULTS}


def test_attacks(numbers, capsys):
    costs = numbers("attacks")
    assert costs["images"] == 4
    assert all(seconds > 0 for seconds in costs["pgd_s"].values())
    assert {"clean", "fgsm", "cw-l2", "jpeg"} <= costs["s_per_100"].keys()
    assert costs["distances"]["carlini_wagner()"]["median"] < costs["distances"]["deepfool()"]["median"]
    assert "4 of them right" in capsys.readouterr().out


def test_convolutions_on_a_cpu(numbers, capsys):
    measured = numbers("convolutions", "--cpu")["measured"]
    assert [row["precision"] for row in measured] == ["float32", "TF32", "bfloat16", *2 * ["float32", "bfloat16"]]
    for row in measured[:3]:
        assert [way["name"] for way in row["ways"][:3]] == ["grouped", "grouped channels_last", "im2col"]
        assert all(way["milliseconds"] > 0 for way in row["ways"][:3])
    for row in measured[3:]:
        assert [way["name"] for way in row["ways"]] == ["torch", "unmoved", "masks", "kernel"]
        assert all(way["milliseconds"] > 0 for way in row["ways"][:3])  # Triton's kernels need a GPU
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(measured)


def test_convolutions_need_a_gpu(main, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        main("convolutions", "--out", "numbers.json")
    assert "needs a GPU" in capsys.readouterr().err


def test_look_levels(numbers, capsys):
    from tune_reg.decisions import LOOKS, nominal_levels

    levels = numbers("look_levels")["levels"]
    for methods, row in levels.items():
        assert row == pytest.approx(nominal_levels(LOOKS, int(methods)), rel=0.1)
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.fixture
def idle_art(monkeypatch):
    """An adversarial-robustness-toolbox whose attacks leave every image as it is."""

    class Attack:
        def __init__(self, classifier, **settings):
            pass

        def generate(self, images, labels):
            assert labels.shape == (len(images), 10)
            return images

    art, attacks, estimators = ModuleType("art"), ModuleType("art.attacks"), ModuleType("art.estimators")
    evasion, classification = ModuleType("art.attacks.evasion"), ModuleType("art.estimators.classification")
    art.__version__ = "0"
    for name in ("FastGradientMethod", "ProjectedGradientDescentPyTorch", "DeepFool", "CarliniL2Method"):
        setattr(evasion, name, Attack)
    classification.PyTorchClassifier = lambda *args, **settings: None
    for module in (art, attacks, estimators, evasion, classification):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_attack_strength_counts_what_each_library_leaves(numbers, idle_art):
    (model,) = numbers("attack_strength")["models"]
    right = model["right"]
    assert 0 < right <= 4
    for row in model["accuracy"]:
        assert row["art"] == right, "an attack that does nothing leaves every image that was right"
        assert row["differ"] == right - row["ours"]
    assert any(row["ours"] < right for row in model["accuracy"])
    for row in model["distance"]:
        assert (row["art_not_found"], row["ours_not_found"]) == (right, 0)
        assert row["ours_nearer"] == right


@pytest.mark.slow
def test_attack_strength_beside_art(program_numbers):
    pytest.importorskip("art", reason="ART is not installed; pip install --no-deps adversarial-robustness-toolbox")
    (model,) = program_numbers("attack_strength")[0]["models"]
    assert all(row["differ"] == 0 for row in model["accuracy"] if row["test"] == "fgsm"), "FGSM has no freedom"


def test_attack_strength_without_art_is_one_line(main, monkeypatch):
    monkeypatch.setitem(sys.modules, "art", None)
    with pytest.raises(SystemExit, match=r"^ART is missing: pip install --no-deps adversarial-robustness-toolbox$"):
        main("attack_strength", "--small")


@pytest.fixture
def short_autoattack(monkeypatch):
    """The four attacks with a few steps and queries each."""
    from tune_reg.evaluation import attacks

    for name in ("APGD_STEPS", "FAB_STEPS", "SQUARE_QUERIES"):
        monkeypatch.setattr(attacks, name, 5)


def test_autoattack_counts_what_each_library_leaves(numbers, short_autoattack, monkeypatch):
    """Beside a torchattacks whose attacks leave every image as it is."""

    class Idle:
        def __init__(self, model, **settings):
            pass

        def __call__(self, images, labels):
            return images

        attack_single_run_targeted = __call__

    library = ModuleType("torchattacks")
    library.__version__ = "0"
    for name in ("APGD", "APGDT", "FAB", "Square"):
        setattr(library, name, Idle)
    monkeypatch.setitem(sys.modules, "torchattacks", library)
    strength = numbers("autoattack")["strength"]
    attacks = ["APGD-CE", "APGD-T", "FAB-T", "Square", "all four"]
    assert [row["attack"] for row in strength["left"]] == 4 * attacks
    for row in strength["left"]:
        assert row["torchattacks"] == strength["images"], "an attack that does nothing leaves every image"
        assert row["differ"] == strength["images"] - row["ours"]
    assert any(row["ours"] < strength["images"] for row in strength["left"])
    assert [row["torchattacks_median"] for row in strength["fab_distances"]] == [float("inf")] * 2


def test_autoattack_without_a_second_library_says_what_each_attack_costs(
    numbers, short_autoattack, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "torchattacks", None)
    written = numbers("autoattack")
    assert "strength" not in written
    assert "torchattacks is missing" in capsys.readouterr().out
    attacks = ["PGD", "APGD-CE", "APGD-T", "FAB-T", "Square"]
    assert [(row["norm"], row["attack"]) for row in written["costs"]] == [
        (norm, attack) for norm in ("linf", "l2") for attack in attacks
    ]
    assert all(row["s_per_image"] > 0 for row in written["costs"])
    assert [row["ratio"] for row in written["costs"] if row["attack"] == "APGD-CE"] == [1, 1]


@pytest.mark.slow
def test_fab_finds_what_torchattacks_finds(program_numbers):
    pytest.importorskip("torchattacks", reason="torchattacks is not installed; pip install --no-deps torchattacks")
    strength = program_numbers("autoattack")[0]["strength"]
    assert all(row["differ"] == 0 for row in strength["left"] if row["attack"] == "FAB-T")
    assert all(row["largest_relative_difference"] < 1e-4 for row in strength["fab_distances"])


def test_digits_table_makes_the_rows_that_are_replayed(main, folder, tmp_path):
    """On another processor the accuracies may be others, but not the configurations."""
    main("digits_table", "--small", "--out", "table.csv")
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert len(rows) == 2 * 16
    table = csv.DictReader((folder / "data" / "digits_adadecay.csv").read_text().splitlines())
    stored = [row for row in table if row["configuration"] in ("0", "1") and row["seed"] == "0"]
    for row, replayed in zip(rows, stored, strict=True):
        accuracy, stored_accuracy = row.pop("val_accuracy"), replayed.pop("val_accuracy")
        assert row == replayed
        assert float(accuracy) == pytest.approx(float(stored_accuracy), abs=0.05)


def test_many_trials(numbers, capsys):
    sizes = numbers("many_trials")["sizes"]
    assert [size["trials"] for size in sizes] == [5, 20]
    assert all(0 < size["ask_s"] + size["reports_s"] < size["trial_s"] for size in sizes)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_regularizer_step(numbers, capsys):
    from tune_reg.regularizers import regularizers

    model = numbers("regularizer_step")["models"]["nn-2"]
    assert model["ratios"].keys() == {"plain", *regularizers()}
    assert model["ratios"]["plain"]["time"] == 1
    assert all(ratio["time"] > 0 for ratio in model["ratios"].values())
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(model["ratios"])


def test_regularizer_step_without_growth_leaves_the_memory_out(module):
    beside = module("regularizer_step").beside_plain({"plain": 1.0, "l1": 2.0}, {"plain": 0.0, "l1": 5.0}, steps=4)
    assert beside["ratios"]["l1"] == {"time": 2.0, "memory": None}


def test_ask_time(numbers, capsys):
    rows = numbers("ask_time")["rows"]
    assert [(row["arm"], row["dimensions"], row["trials"]) for row in rows] == [
        ("random-asha", 1, 3),
        ("random-asha", 1, 6),
    ]
    assert all(0 < row["ask_s"] <= row["longest_ask_s"] for row in rows)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_early_stopping_tells_what_judging_early_costs_where_a_good_strength_learns_slowly(numbers, tmp_path):
    # 0.1 is 80 % from the first epoch on, 1.0 rises to 90 % in the last third: at a third 0.1 is picked.
    curves = [np.full(27, 0.8), np.r_[np.full(18, 0.5), np.full(9, 0.9)]]
    table = {"S": [0.1, 1.0], "L": [0.01, 0.01], "curves": np.stack([curves] * 3), "test": [[0.8, 0.9]] * 3}
    np.savez(tmp_path / "crossing.npz", **{f"dropout_{part}": np.asarray(values) for part, values in table.items()})
    rows = numbers("early_stopping", "--table", tmp_path / "crossing.npz")["rows"]
    assert [(row["epoch"], row["picked"], row["best"], row["bias"]) for row in rows] == [
        (3, 0.1, 1.0, -1.0),
        (9, 0.1, 1.0, -1.0),
        (18, 0.1, 1.0, -1.0),
        (27, 1.0, 1.0, 0.0),
    ]
    assert [row["cost"] for row in rows] == pytest.approx([10, 10, 10, 0])


def test_picked_on_test_tells_luck_of_the_test_set_from_worth(numbers, tmp_path):
    # Each of the first three settings of "a" is lucky on the test set of one seed. Validation prefers its fourth, which
    # is worth 0.85 on every seed. "b" has one good setting, worth 0.87.
    lucky = [[0.95 if setting == seed else 0.8 for setting in range(3)] + [0.85] for seed in range(3)]
    validation = [[0.5, 0.5, 0.5, 0.6]] * 3
    steady = [[0.87, 0.2, 0.2, 0.2]] * 3
    made = {"a": (validation, lucky), "b": (steady, steady)}
    grid = {"S": [0.1, 0.1, 1.0, 1.0], "L": [0.01, 0.1, 0.01, 0.1]}
    arrays = {}
    for name, (curves, test) in made.items():
        arrays |= {f"{name}_{axis}": np.asarray(values) for axis, values in grid.items()}
        arrays |= {f"{name}_curves": np.asarray(curves)[..., None], f"{name}_test": np.asarray(test)}
    np.savez(tmp_path / "lucky.npz", **arrays)
    (part,) = numbers("picked_on_test", "--tables", tmp_path / "lucky.npz")["parts"]
    assert (part["seeds"], part["seeds_left_out"]) == (1, 2)
    measured = {(row["method"], row["picked_on"]): (row["reported"], row["worth"]) for row in part["rows"]}
    assert measured["a", "test"] == pytest.approx((95, 80))
    assert measured["a", "validation"] == pytest.approx((85, 85))
    assert measured["b", "test"] == measured["b", "validation"] == pytest.approx((87, 87))
    assert part["order_of_all_seeds"] == ["b", "a"]
    assert part["another_order"] == part["another_first"] == 1
    assert [way["first_is_that_of_all_seeds"] for way in part["ways"]] == [0, 1]
    assert [way["worth_of_first"] for way in part["ways"]] == pytest.approx([80, 87])


def test_picked_on_test_leaves_a_seed_out(main, capsys):
    with pytest.raises(SystemExit):
        main("picked_on_test", "--seeds", "9")
    assert "--seeds must be from 1 to 8, so that some of the 9 seeds are left out" in capsys.readouterr().err


def test_strength_table_makes_a_table_that_search_efficiency_replays(main, numbers, tmp_path):
    main("strength_table", "--small", "--out", "made/table.npz")
    made = tmp_path / "made" / "table.npz"
    rows = numbers("search_efficiency", "--table", made, "--arms", "stock", "one-epoch")["rows"]
    assert {row["problem"] for row in rows} == {"weight-decay"}
    assert [row["budget"] for row in rows if row["arm"] == "one-epoch"] == [4, 8, 16, 24, 40]
    assert all(row["regret"] >= 0 and row["regret_se"] >= 0 and -1 <= row["bias"] <= 1 for row in rows)


def test_claims(numbers):
    measured = numbers("claims")
    assert all(0 <= row["covers"] <= 1 for row in measured["coverage"] if row["told"])
    assert {row["rule"] for row in measured["families"]} == {
        "primary first",
        "t, Holm over all",
        "sign flips, Holm over all",
    }
    assert all(5 <= row["seeds"] <= 20 for row in measured["rounds"])
    made_up, on_tables = measured["same_method_twice"], measured["real_curves_twice"]
    assert [row["seeds"] for row in made_up] == [5, 10, 20]
    *problems, every = [row["problem"] for row in on_tables]
    assert every == "all"
    assert len(set(problems)) == 10
    assert on_tables[-1]["studies"] == sum(row["studies"] for row in on_tables[:-1])
    assert on_tables[-1]["true_regret"] == pytest.approx(np.mean([row["true_regret"] for row in on_tables[:-1]]))
    two = measured["two_methods"]
    assert [(row["first"], row["second"]) for row in two] == [
        ("dropout", "db"),
        ("dropout", "residual-smoothing"),
        ("db", "residual-smoothing"),
        ("noise-injection", "db"),
    ]
    assert all(row["right"] <= row["right_alone"] and row["wrong"] <= row["wrong_alone"] for row in two)
    assert two[0]["true_difference"] == pytest.approx(-0.278, abs=0.001)
    for row in [*made_up, *on_tables]:
        assert all(0 <= row[share] <= 1 for share in ("false_claims", "without_regret"))
        assert 0 <= row["gain_claimed"] <= row["large_gain_claimed"] <= 1
        assert row["true_regret"] >= 0
        assert row["regret_deviation"] > 0


@pytest.mark.slow
def test_large_study(program_numbers):
    cost, printed = program_numbers("large_study")
    assert sum(step["seconds"] for step in cost["steps"]) == pytest.approx(cost["processor_s"], rel=0.1)
    assert "draw strength-response" in printed


@pytest.mark.slow
def test_report_speed(program_numbers):
    (size,) = program_numbers("report_speed")[0]["sizes"]
    assert size["files_mb"] > size["page_mb"] > 0.5


@pytest.mark.ray
@pytest.mark.slow
def test_gpu_study_without_a_gpu(program_numbers):
    numbers, printed = program_numbers("gpu_study", "--cpu", "--arms", "lanes", "one at a time")
    assert {"device", "torch", "commit"} <= numbers["host"].keys()
    for arm in numbers["arms"].values():
        assert 0 < arm["first_epoch_s"] <= arm["search_s"]
        assert (arm["trials"], arm["complete"]) == (4, True)
        assert 4 <= arm["epochs"] <= 12
    assert printed.splitlines()[-1].startswith("one at a time")


def test_gpu_study_goes_on_where_an_arm_fails(main, module, monkeypatch, tmp_path, capsys):
    program = module("gpu_study")
    searches = module("_gpu_study.arms").Search

    def numbers_of(command):
        if command[command.index("--arm") + 1] == "four processes":
            raise SystemExit("no memory")
        yield searches([10.0, 40.0], ended=1).costs(began=4.0, trials=2)

    monkeypatch.setattr(program, "numbers_of", numbers_of)
    main("gpu_study", "--cpu", "--small", "--out", "numbers.json")
    arms = json.loads((tmp_path / "numbers.json").read_text())["arms"]
    assert list(arms) == ["lanes", "one at a time"]
    assert arms["lanes"] == {
        "first_epoch_s": 6,
        "search_s": 36,
        "trials": 1,
        "epochs": 2,
        "trials_an_hour": 100,
        "epochs_an_hour": 200,
        "complete": False,
    }
    printed = capsys.readouterr().out
    assert "four processes: no memory" in printed
    assert printed.splitlines()[-1].endswith("not ended"), "times of unfinished searches are not compared"


def test_gpu_study_without_a_device_is_one_line(main, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit):
        main("gpu_study", "--small")
    assert "there is no CUDA device; --cpu does without one" in capsys.readouterr().err


@pytest.mark.ray
@pytest.mark.slow
def test_cluster_scale(program_numbers, tmp_path):
    runs, printed = program_numbers("cluster_scale", "--figure", "figure.png")
    assert [(run["arm"], [row["trials"] for row in run["rows"]]) for run in runs] == [("ours", [10]), ("stock", [10])]
    assert "stock / ours at 10 trials:  seconds_a_trial " in printed
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.mark.ray
@pytest.mark.slow
def test_vs_plain_tune_with_idle_trials(program_numbers):
    numbers, printed = program_numbers("vs_plain_tune", "--arms", "idle-ours", "idle-class")
    assert [len(runs) for runs in numbers["runs"].values()] == [1, 1]
    assert numbers["ratios"]["a trial that does nothing: seconds, ours"] > 0
    assert "a trial that does nothing: fit_s / trials, idle-class / ours" in printed


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arms", "ratio"),
    [
        (("plain", "ours", "floor"), "same epochs: wall, ours / bare loop"),
        (("plain-asha", "ours-asha"), "ASHA: wall an epoch, plain / ours"),
    ],
)
def test_vs_plain_tune_with_training(program_numbers, arms, ratio):
    numbers, _ = program_numbers("vs_plain_tune", "--arms", *arms)
    assert {name: run["epochs"] for name, (run,) in numbers["runs"].items()} == dict.fromkeys(arms, 3)
    assert numbers["machine"]["hardware"]["cores"] >= 1
    assert numbers["ratios"][ratio] > 0
