"""A search by TPE in place of the default sampler is told."""

import pytest
from digits import digits_study

from tune_reg.study import Study, how_far_trials_train, make_plan, other_searches


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


@pytest.mark.parametrize(
    ("search", "begins"),
    [
        ({"sampler": "knowledge-gradient"}, ["each trial is trained to its end"]),
        ({"sampler": "knowledge-gradient", "pruner": "pause"}, ["a trial pauses where another one is worth more"]),
        ({"sampler": "tpe"}, []),
    ],
)
def test_whether_trials_pause_is_told(search, begins):
    plan = make_plan(Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"], search=search))
    lines = how_far_trials_train(plan)
    assert len(lines) == len(begins)
    assert all(line.startswith(begin) for line, begin in zip(lines, begins, strict=True))
