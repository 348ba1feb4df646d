"""A search by TPE in place of the default sampler is told."""

import pytest
from digits import digits_study

from tune_reg.study import make_plan, other_searches


def space(trial):
    return {"weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True)}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, []),
        ({"regularizers": {"weight-decay": space, "l1": {}}}, ["regularizers.weight-decay: TPE searches it"]),
        ({"search": {"second_objective": {"kind": "epoch_time"}}}, ["search.second_objective: TPE searches"]),
    ],
)
def test_who_is_searched_by_tpe_is_told_where_the_sampler_is_the_default(keys, said):
    lines = other_searches(make_plan(digits_study(**{"search": {}, **keys, "baseline": "weight-decay"})))
    assert lines == []  # the support's study names the sampler tpe-gp
    chosen = {"sampler": "knowledge-gradient", **keys.get("search", {})}
    lines = other_searches(make_plan(digits_study(**{**keys, "search": chosen, "baseline": "weight-decay"})))
    assert len(lines) == len(said)
    assert all(line.startswith(begin) for line, begin in zip(lines, said, strict=True))
