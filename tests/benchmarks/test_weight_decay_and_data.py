"""The best weight decay by amount of data, of runs whose best one is worked out."""

from types import SimpleNamespace

import pytest

STUDY = {"name": "made up", "training": {"batch_size": 32, "learning_rate": 0.01}}


def runs(best_by_images):
    """Runs of three seeds at five decays, the most accurate one at the decay that is given for the number of images."""
    return [
        {
            "n_train": images,
            "state": "complete",
            "params": {"weight_decay": decay},
            "seed": seed,
            "test_accuracy": 0.9 + 0.001 * seed - 0.1 * (decay != best),
            "val_accuracy": 0.8 - 0.1 * (decay != 0.01),
        }
        for images, best in best_by_images.items()
        for decay in (0.0, 0.01, 0.1, 1.0, 10.0)
        for seed in range(3)
    ]


def test_a_best_decay_of_one_over_the_images_has_slope_minus_one_and_one_timescale(module):
    data = SimpleNamespace(study=STUDY, final=runs({320: 1.0, 3200: 0.1}))
    result, _ = module("weight_decay_and_data").result_of(data)
    assert (result.slope, result.slope_low, result.slope_high) == pytest.approx((-1, -1, -1))
    assert [(amount.best, amount.low, amount.high, amount.steps) for amount in result.amounts] == [
        (1.0, 1.0, 1.0, 10),
        (0.1, 0.1, 0.1, 100),
    ]
    assert [amount.timescale for amount in result.amounts] == pytest.approx([10, 10])  # 1 / (0.01 * 1.0 * 10)
    assert [amount.without for amount in result.amounts] == pytest.approx([0.801, 0.801])
    assert {amount.by_validation for amount in result.amounts} == {0.01}


def test_seeds_that_lack_a_decay_are_left_out(module):
    rows = [row for row in runs({320: 1.0}) if not (row["seed"] == 0 and row["params"] == {"weight_decay": 1.0})]
    decays, test, _ = module("weight_decay_and_data").grid(SimpleNamespace(study=STUDY, final=rows), 320)
    assert decays.tolist() == [0.0, 0.01, 0.1, 1.0, 10.0]
    assert test.shape == (2, 5)
