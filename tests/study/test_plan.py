import pytest

from search_spaces import loguniform
from tune_reg.study import MethodCost, Study, make_plan


def test_the_cost_is_counted_by_hand():
    """Digits have 1,437 training images, 240 of them (1/6 rounded) held out: 1,197, and 299 at a quarter."""
    study = Study(
        name="x",
        dataset="digits",
        model="nn-2",
        regularizers={"weight-decay": {}, "adadecay": {"weight_decay": 5e-4, "alpha": 4.0}},
        fractions=[1.0, 0.25],
        training={"epochs": 7},
        search={"trials": 5, "fractions": [0.25, 1.0]},
        confirm={"seeds": 3},
    )
    searched = 5 * 1197 + 5 * 299
    # At 1 stands the winner there; at 1/4 the one searched there and the one searched on all.
    confirmed = 3 * (1197 + 299 + 299)
    fixed = 1197 + 299
    assert make_plan(study).costs == (
        MethodCost("weight-decay", 10, 70, 9, 9, 63, 7 * (searched + confirmed)),
        MethodCost("adadecay", 2, 14, 9, 9, 63, 7 * (fixed + confirmed)),
    )


def test_every_searched_regularizer_has_the_same_budget():
    study = Study(
        name="x",
        dataset="digits",
        model="nn-2",
        regularizers=["weight-decay", "adadecay", "residual-smoothing"],
        fractions=[0.25, 0.5, 1.0],
        search={"trials": 9},
    )
    rows = make_plan(study).costs
    assert [row.regularizer for row in rows] == ["weight-decay", "adadecay", "residual-smoothing"]
    assert len({(row.trials, row.search_epochs, row.confirm_epochs, row.image_passes) for row in rows}) == 1
    assert rows[0].trials == 9
    assert (rows[0].least_confirmed_runs, rows[0].confirmed_runs, rows[0].confirm_epochs) == (
        3 * 5,
        3 * 20,
        10 * 3 * 20,
    )


def test_a_searched_learning_rate_makes_trials_of_a_fixed_strength():
    keys = {"name": "x", "dataset": "digits", "model": "nn-2", "regularizers": {"weight-decay": {"weight_decay": 0.0}}}
    assert make_plan(Study(**keys)).costs[0].trials == 1
    assert make_plan(Study(**keys, search={"trials": 6, "learning_rate": loguniform(0.01, 0.5)})).costs[0].trials == 6


@pytest.mark.parametrize(("protocol", "images"), [("validation", 1197), ("paper", 1437)])
def test_the_protocol_decides_what_is_trained_on(protocol, images):
    study = Study(
        name="x",
        dataset="digits",
        model="nn-2",
        regularizers=["weight-decay"],
        protocol=protocol,
        training={"epochs": 1},
        search={"trials": 1},
        confirm={"seeds": 1},
    )
    assert make_plan(study).costs[0].image_passes == 2 * images


def test_an_epoch_of_sam_counts_twice():
    """The images of its epochs are counted twice; its search has half of the trainings, so that it costs no more."""
    keys = {"name": "x", "dataset": "digits", "model": "nn-2", "training": {"epochs": 2}, "confirm": {"seeds": 2}}
    both = make_plan(Study(**keys, regularizers=["weight-decay", "sam"], search={"trials": 6}))
    plain, sam = both.costs
    assert (plain.trials, plain.search_epochs, plain.image_passes) == (6, 12, 2 * 1197 * (6 + 2))
    assert (sam.trials, sam.search_epochs, sam.image_passes) == (3, 6, 2 * 2 * 1197 * (3 + 2))
    assert [task.passes for task in both.tasks] == [1, 2]
    alone = make_plan(Study(**keys, regularizers=["sam"], search={"trials": 6})).costs[0]
    assert (alone.trials, alone.image_passes) == (6, 2 * 2 * 1197 * (6 + 2))
