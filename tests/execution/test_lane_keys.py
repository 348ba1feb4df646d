"""Which runs of a study can be lanes, before any is asked for."""

import pytest
from digits import digits_study
from torch import nn

from search_spaces import SearchSpace, loguniform
from tune_reg.errors import StudyError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_keys import LaneKeys, key_of, lanes_note
from tune_reg.optimizers import OPTIMIZERS
from tune_reg.regularizers import regularizers
from tune_reg.study import make_plan
from tune_reg.training import TrainingSet, lane_key

WHOLE = TrainingSet(1.0)


def plan_of(regularizers=("weight-decay",), **settings):
    return make_plan(digits_study(regularizers=regularizers, **settings))


def key(table, name="weight-decay", **settings):
    plan = plan_of({name: table}, **settings)
    return key_of(plan.study, plan.tasks[0], WHOLE)


DOUBLED = {"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]}

SAME = {
    "numbers": ("adadecay", {"weight_decay": loguniform(1e-6, 1e-2)}),
    "a learning rate": ("weight-decay", {"learning_rate": loguniform(0.01, 0.3)}),
    "a learning rate's schedule": ("weight-decay", {"learning_rate_schedule": ["sigmoid", "cosine"]}),
    "a choice that is fixed": ("residual-smoothing", {"annealing": "laplace"}),
    "a schedule's end": (
        "weight-decay",
        {"weight_decay": {"schedule": ["cosine", "exponential"], "start": 1e-6, "end": {"low": 1e-4, "high": 1e-2}}},
    ),
    "momentum": ("weight-decay", {"momentum": [0.5, 0.9]}),
    "a schedule of the batch size": ("weight-decay", {"batch_size_schedule": DOUBLED}),
}


def trial_keys(plan, directory):
    """The lane keys of all trials of the first task."""
    controller = StudyController(plan, directory)
    return {lane_key(controller.next_run().run) for _ in range(plan.tasks[0].trials)}


@pytest.mark.parametrize("what", SAME)
def test_the_key_of_a_task_is_that_of_each_of_its_runs(tmp_path, what):
    name, table = SAME[what]
    plan = plan_of({name: table}, search={"trials": 8, "sampler": "random"})
    assert trial_keys(plan, tmp_path) == {key_of(plan.study, plan.tasks[0], WHOLE)}


@pytest.mark.parametrize("name", sorted(regularizers()))
def test_the_default_space_of_each_regularizer_has_one_key_or_is_refused(tmp_path, name):
    plan = plan_of([name], search={"trials": 6, "sampler": "random"})
    expected = LaneKeys(plan)(plan.tasks[0], WHOLE)
    assert expected is None or trial_keys(plan, tmp_path) == {expected}


def by_run(trial):
    return {"weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2)}


@pytest.mark.parametrize(
    ("name", "table", "keys", "reason"),
    [
        ("residual-smoothing", {"annealing": ["laplace", "logistic"]}, {}, "lanes: annealing must be the same in all"),
        ("weight-decay", {"batch_size": [32, 64]}, {}, "lanes: batch_size must be the same in all lanes, but"),
        ("weight-decay", {"loss": ["mse", "cross-entropy"]}, {}, "lanes: loss must be the same in all lanes, but"),
        ("weight-decay", {"optimizer": ["sgd", "adam"]}, {}, "lanes: optimizer must be the same in all lanes, but"),
        (
            "weight-decay",
            {"batch_size_schedule": ["constant", "sigmoid"]},
            {},
            "lanes: batch_size_schedule must be the same in all lanes, but weight-decay searches it",
        ),
        ("weight-decay", by_run, {}, "lanes: the space of weight-decay is a function, which may give anything"),
    ],
)
def test_what_cannot_be_a_lane_says_why(name, table, keys, reason):
    with pytest.raises(StudyError) as error:
        key(table, name, **keys)
    assert str(error.value).startswith(reason)
    assert "\n" not in str(error.value)


class Branching(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.linear = nn.Linear(inputs, classes)

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        return logits if bool(logits.sum() > 0) else logits + 1


def branching(channels, image_size, classes):
    return Branching(channels * image_size[0] * image_size[1], classes)


def test_where_nothing_can_be_a_lane_it_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr("tune_reg.models.catalog.import_function", lambda *_: branching)
    monkeypatch.setattr("tune_reg.models.from_function.import_function", lambda *_: branching)
    plan = plan_of(model="my:branching", resources={"lanes": 4})
    assert LaneKeys(plan)(plan.tasks[0], WHOLE) is None
    note = lanes_note(plan)
    assert note.startswith(
        "resources.lanes: no runs of this study can train side by side, so they train one at a time; "
        "lanes: model 'my:branching' must run under torch.func.vmap, but fails"
    )
    assert "\n" not in note
    assert lanes_note(plan_of(model="my:branching")) is None


def test_nothing_is_said_where_some_runs_can_be_lanes():
    tables = {"any": {"regularizer": "weight-decay", "batch_size": [32, 64]}, "weight-decay": {}}
    assert lanes_note(plan_of(tables, resources={"lanes": 4})) is None
    alone = {"any": tables["any"]}
    assert "batch_size must be the same in all lanes" in lanes_note(plan_of(alone, resources={"lanes": 4}))
    assert lanes_note(plan_of(alone, resources={"lanes": "auto"})) is None


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_runs_of_every_optimizer_can_be_lanes_and_each_has_a_key_of_its_own(optimizer):
    plan = plan_of({"this": {"regularizer": "decoupled-weight-decay", "optimizer": optimizer}})
    keys = LaneKeys(plan)
    assert keys.why is None
    assert keys(plan.tasks[0], WHOLE).optimizer == optimizer


def test_a_key_has_the_largest_batch_size_of_a_schedule():
    training = {"epochs": 4, "batch_size": 32}
    assert key({"batch_size_schedule": DOUBLED}, training=training).batch_size == 64
    assert key({}, training=training).batch_size == 32


def test_methods_that_differ_in_numbers_share_a_key():
    tables = {
        "plain": {"regularizer": "weight-decay", "weight_decay": 0.0},
        "searched": {"regularizer": "weight-decay", **SearchSpace({"weight_decay": loguniform(1e-6, 1e-2)})},
    }
    plan = plan_of(tables)
    plain, searched = (LaneKeys(plan)(task, WHOLE) for task in plan.tasks)
    assert plain == searched
    assert plain is not None
