"""Settings that change nothing are named, and defaults are not."""

import pytest

from tune_reg.study import Study, unused_settings


def notes(**keys):
    plain = {"name": "x", "dataset": "digits", "model": "nn-2", "regularizers": ["weight-decay"]}
    study = Study(**{**plain, **keys})
    said = unused_settings(study)
    assert unused_settings(Study(**study.to_plain())) == said  # as a study is written out, with every default
    return said


OWN = {"weight-decay": {"learning_rate": 0.2}, "l1": {"learning_rate": [0.1, 0.2]}}
GRID = {"sampler": "grid"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"search": {"pruner": "none", "reduction_factor": 2}}, "search.reduction_factor: means nothing with"),
        ({"search": {"pruner": "none", "min_epochs": 2}}, "search.min_epochs: means nothing with"),
        ({"search": {"pruner": "median", "reduction_factor": 2}}, "search.reduction_factor: means nothing with"),
        ({"search": {"patience": 20}}, "search.patience: a search of 16 trials"),
        (
            {"search": {"pruner": "none", "second_objective": {"kind": "epoch_time", "images": 5}}},
            "search.second_objective.images: means nothing with epoch_time",
        ),
        ({"robustness": {"images": 5}}, "robustness.images: means nothing without a test"),
        ({"protocol": "paper", "training": {"validation": 0.5}}, "training.validation: means nothing with protocol"),
        ({"regularizers": OWN, "training": {"learning_rate": 0.5}}, "training.learning_rate: means nothing, as every"),
        ({"regularizers": OWN, "search": {"learning_rate": [0.1]}}, "search.learning_rate: means nothing, as every"),
        ({"training": {"optimizer": "adam", "momentum": 0.5}}, "training.momentum: only the optimizer sgd has it"),
        (
            {"regularizers": {"l1": {"optimizer": "adam", "momentum": [0.1, 0.5]}}},
            "regularizers.l1.momentum: only the optimizer sgd has it",
        ),
        (
            {"regularizers": ["residual-smoothing"], "training": {"loss": "mse"}},
            "training.loss: means nothing, as every regularizer brings",
        ),
        (
            {"regularizers": {"residual-smoothing": {"loss": "mse"}}},
            "regularizers.residual-smoothing.loss: means nothing",
        ),
        (
            {"search": GRID, "regularizers": {"l1": {"strength": [1e-4, 1e-3], "start": [{"strength": 1e-3}]}}},
            'regularizers.l1.start: means nothing with search.sampler "grid"',
        ),
    ],
)
def test_a_setting_that_changes_nothing_is_named(keys, said):
    (line,) = notes(**keys)
    assert line.startswith(said)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"search": {"pruner": "none"}},
        {"search": {"pruner": "median", "min_epochs": 2}},
        {"search": {"patience": 4}},
        {"robustness": {"fgsm": [0.1], "images": 5}},
        {"training": {"momentum": 0.5}},
        {"regularizers": {"l1": {"optimizer": ["sgd", "adam"], "momentum": 0.5}}},
        {"regularizers": {**OWN, "dropout": {}}, "training": {"learning_rate": 0.5}},
        {"search": GRID, "regularizers": {"weight-decay": {"weight_decay": [5e-4, 1e-3]}}},
        {"search": GRID, "regularizers": {"adadecay": {"space": "paper"}}},
    ],
)
def test_settings_that_count_and_defaults_are_not_named(keys):
    assert notes(**keys) == []
