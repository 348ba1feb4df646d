"""What the benchmark beside plain Ray Tune computes of its arms."""

import time
from argparse import Namespace

import pytest
import torch


def test_the_ends_of_trials_are_those_of_the_journal(module, tmp_path):
    """Each finished trial has one, however many files the tables of the study have."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(tmp_path / "search.journal")))
    begin = time.time()
    for name in ("one", "two"):
        study = optuna.create_study(study_name=name, storage=storage)
        study.tell(study.ask(), 0.5)
        study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
        study.ask()  # is still running
    ends = module("_vs_plain_tune.ours").end_times(tmp_path)
    assert len(ends) == 4
    assert ends == sorted(ends)
    assert begin - 1 < ends[0] < ends[-1] < time.time() + 1


def test_ratios_compare_medians_of_the_arms_that_ran(module):
    ratios = module("vs_plain_tune")._ratios
    plain = [{"wall_s": wall, "val_accuracy": 0.8} for wall in (9.0, 30.0, 12.0)]
    ours = [{"wall_s": wall, "val_accuracy": 0.9} for wall in (4.0, 100.0, 3.0)]
    expected = {"same epochs: wall, plain / ours": 3.0, "same epochs: accuracy, ours - plain": 0.1}
    assert ratios({"plain": plain, "ours": ours}) == pytest.approx(expected)
    floor = [{"wall_s": 2.0}]
    assert ratios({"ours": ours, "floor": floor}) == {"same epochs: wall, ours / bare loop": 2.0}
    assert ratios({"plain": plain, "idle-class": [{}]}) == {}


def test_ratios_of_halving_count_the_epochs(module):
    runs = {
        "plain-asha": [{"wall_s": 10.0, "epochs": 20, "val_accuracy": 0.5}],
        "ours-asha": [{"wall_s": 5.0, "epochs": 5, "val_accuracy": 0.5}],
    }
    assert module("vs_plain_tune")._ratios(runs) == {
        "ASHA: wall, plain / ours": 2.0,
        "ASHA: wall an epoch, plain / ours": 0.5,
        "ASHA: accuracy, ours - plain": 0.0,
    }


def test_torchvision_reads_the_images_that_a_study_has(module, tmp_path):
    from torchvision.datasets import FashionMNIST

    sweep = module("_vs_plain_tune.sweep")
    options = Namespace(dataset="synthetic", data=None, images=500, epochs=1, trials=1)
    sweep.prepare(tmp_path, options)
    dataset, read = sweep.load(options), FashionMNIST(tmp_path, train=True)
    assert torch.equal(read.data, dataset.train_images.squeeze(-1))
    assert torch.equal(read.targets, dataset.train_labels)
    train_index, val_index = sweep.split(tmp_path)
    assert (len(train_index), len(val_index)) == (500, sweep.VALIDATION)
