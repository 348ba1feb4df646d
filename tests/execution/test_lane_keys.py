"""Which runs of a study can be lanes, before any is asked for."""

import pytest
from torch import nn

from search_spaces import SearchSpace, loguniform
from tune_reg import Study
from tune_reg.errors import StudyError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_keys import LaneKeys, key_of, lanes_note
from tune_reg.regularizers import regularizers
from tune_reg.search.ask_tell import AskTell
from tune_reg.training import TrainingSet, lane_key


def study(regularizers=("weight-decay",), **keys):
    plain = {"name": "keys", "dataset": "digits", "model": "nn-2-small", "training": {"epochs": 3, "batch_size": 64}}
    return Study(**{**plain, "regularizers": regularizers, **keys})


def key(table, name="weight-decay", **keys):
    made = study({name: table}, **keys)
    return key_of(made, made.tasks()[0], TrainingSet(1.0))


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
}


@pytest.mark.parametrize("what", SAME)
def test_the_key_of_a_task_is_that_of_each_of_its_runs(tmp_path, what):
    name, table = SAME[what]
    made = study({name: table}, search={"trials": 8, "sampler": "random"})
    sweep = StudyController(made, tmp_path)
    expected = key_of(made, made.tasks()[0], TrainingSet(1.0))
    assert {lane_key(sweep.next().run) for _ in range(8)} == {expected}


@pytest.mark.parametrize("name", sorted(regularizers()))
def test_the_default_space_of_each_regularizer_has_one_key_or_is_refused(tmp_path, name):
    made = study([name], search={"trials": 6, "sampler": "random"})
    task = made.tasks()[0]
    brain = AskTell(tmp_path / "journal", [task], made.search, epochs=3)
    sweep = StudyController(made, tmp_path)
    keys = {lane_key(sweep._run(brain.ask(), TrainingSet(1.0), 0)) for _ in range(task.trials)}
    expected = LaneKeys(made)(task, TrainingSet(1.0))
    assert expected is None or keys == {expected}


def by_run(trial):
    return {"weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2)}


@pytest.mark.parametrize(
    ("name", "table", "keys", "reason"),
    [
        ("residual-smoothing", {"annealing": ["laplace", "logistic"]}, {}, "lanes: annealing must be the same in all"),
        ("weight-decay", {"batch_size": [32, 64]}, {}, "lanes: batch_size must be the same in all lanes, but"),
        ("weight-decay", {"loss": ["mse", "cross-entropy"]}, {}, "lanes: loss must be the same in all lanes, but"),
        ("weight-decay", {"optimizer": ["sgd", "adam"]}, {}, "lanes: optimizer must be the same in all lanes, but"),
        ("weight-decay", {"optimizer": "adam"}, {}, "lanes: optimizer must be 'sgd', but got 'adam'"),
        (
            "weight-decay",
            {},
            {"training": {"epochs": 3, "batch_size_schedule": "sigmoid"}},
            "lanes: batch_size_schedule must be constant, but",
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
    made = study(model="my:branching", resources={"lanes": 4})
    assert LaneKeys(made)(made.tasks()[0], TrainingSet(1.0)) is None
    note = lanes_note(made)
    assert note.startswith(
        "resources.lanes: no runs of this study can train side by side, so they train one at a time; "
        "lanes: model 'my:branching' must run under torch.func.vmap, but fails"
    )
    assert "\n" not in note
    assert lanes_note(made.model_copy(update={"resources": study().resources})) is None


def test_nothing_is_said_where_some_runs_can_be_lanes():
    tables = {"adam": {"regularizer": "decoupled-weight-decay", "optimizer": "adam"}, "weight-decay": {}}
    assert lanes_note(study(tables, resources={"lanes": 4})) is None
    alone = {"adam": tables["adam"]}
    assert "optimizer must be 'sgd'" in lanes_note(study(alone, resources={"lanes": 4}))
    assert lanes_note(study(alone, resources={"lanes": "auto"})) is None


def test_methods_that_differ_in_numbers_share_a_key():
    tables = {
        "plain": {"regularizer": "weight-decay", "weight_decay": 0.0},
        "searched": {"regularizer": "weight-decay", **SearchSpace({"weight_decay": loguniform(1e-6, 1e-2)})},
    }
    made = study(tables)
    keys = LaneKeys(made)
    plain, searched = (keys(task, TrainingSet(1.0)) for task in made.tasks())
    assert plain == searched
    assert plain is not None
