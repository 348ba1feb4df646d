"""The timescale of weight decay, against decays that are worked out step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest

from analysis.measures.timescale import timescale_epochs, timescale_of

STUDY = {"training": {"learning_rate": 0.1, "batch_size": 128}}


def test_after_one_timescale_the_share_of_an_old_weight_is_one_over_e() -> None:
    decay, rate, steps = 0.01, 0.02, 50
    epochs = timescale_epochs(decay, rate, steps)
    share = math.prod([1 - rate * decay] * round(epochs * steps))
    assert share == pytest.approx(math.exp(-1), rel=1e-3)


def test_the_last_batch_of_an_epoch_counts_whole_and_no_decay_forgets_nothing() -> None:
    # 60,000 images are 468.75 batches of 128.
    assert timescale_of(STUDY, {"weight_decay": 5e-4}, 60000) == pytest.approx(1 / (0.1 * 5e-4 * 469))
    assert timescale_epochs(0.0, 0.1, 469) == math.inf


def test_what_a_trial_brings_goes_before_the_settings_of_the_study() -> None:
    params = {"weight_decay": 1e-3, "learning_rate": 0.5, "batch_size": 10}
    assert timescale_of(STUDY, params, 100) == pytest.approx(1 / (0.5 * 1e-3 * 10))


@pytest.mark.parametrize(
    ("study", "params", "n_train"),
    [
        (STUDY, {"rate": 0.5}, 100),
        (STUDY, {"weight_decay": 0.0}, 100),
        (STUDY, {"weight_decay": "strong"}, 100),
        (STUDY, {"weight_decay": 1e-3}, None),
        ({"training": {"batch_size": 128}}, {"weight_decay": 1e-3}, 100),  # a training loop of the user's own
        ({}, {"weight_decay": 1e-3}, 100),
    ],
)
def test_none_where_it_is_not_known(study: dict[str, Any], params: dict[str, Any], n_train: int | None) -> None:
    assert timescale_of(study, params, n_train) is None
