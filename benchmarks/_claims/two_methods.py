"""How often is a true difference of two methods claimed, and how often the opposite? On real learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from _claims.same_method_twice import claimed, searched, settings_alone, with_luck
from _claims.table_study import CONFIRMED, TableStudy, true_difference
from tune_reg.decisions import MeanTest


def measured(studies: Sequence[tuple[TableStudy, TableStudy]], sampler: str) -> dict[str, Any]:
    """What is claimed of two methods whose best settings differ; shares of the studies.

    ``true_difference``, ``true_error``: of the best settings of the first and the second, over the seeds of the tables,
    in points, with its standard error. ``right``, ``wrong``: claims of its sign and of the other one, by the rule of
    the report: between the settings, and with the luck of both searches. ``covers``: how often the interval with that
    luck holds the true difference. ``right_alone``, ``wrong_alone``, ``covers_alone``: of the settings alone.
    """
    first, second = (study.problem for study in studies[0])
    difference, error = true_difference(first, second)
    tests = [_tested(*pair, number, sampler) for number, pair in enumerate(studies)]
    shares = np.mean([_outcome(alone, told, difference) for alone, told in tests], axis=0)
    names = ("right", "wrong", "covers", "right_alone", "wrong_alone", "covers_alone")
    return {
        "studies": len(studies),
        "seeds": CONFIRMED,
        "true_difference": 100 * difference,
        "true_error": 100 * error,
        **dict(zip(names, shares.tolist(), strict=True)),
    }


def _tested(first: TableStudy, second: TableStudy, number: int, sampler: str) -> tuple[MeanTest, MeanTest]:
    """The difference of what two searches picked, between the settings and with the luck of the searches."""
    of_first, of_second = searched(first, 2 * number, sampler), searched(second, 2 * number + 1, sampler)
    differences = first.confirmed(of_first.unit, 0, CONFIRMED) - second.confirmed(of_second.unit, 1, CONFIRMED)
    images = first.test_images
    return settings_alone(differences, images), with_luck(differences, of_first, of_second, images)


def _outcome(alone: MeanTest, told: MeanTest, difference: float) -> list[bool]:
    outcomes = []
    for test in (told, alone):
        is_claimed = claimed(alone) and claimed(test)
        same_sign = test.mean * difference > 0
        covers = test.low is not None and test.high is not None and test.low <= difference <= test.high
        outcomes += [is_claimed and same_sign, is_claimed and not same_sign, covers]
    return outcomes
