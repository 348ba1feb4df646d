"""Methods of a study: several regularizers as one, other names, own settings, strengths with a schedule."""

import json
import math

import pytest
import torch

from search_spaces import SearchSpace, choice, loguniform, schedule, uniform
from tune_reg import Study
from tune_reg.errors import StudyError, TuneRegError
from tune_reg.regularizers import regularizer
from tune_reg.study import make_plan
from tune_reg.training import Run, SerialEngine, TrainingSettings

#: Training and test images of the fixture ``tiny``.
TINY = (120, 30)


def study(regularizers, **keys):
    return Study(**{"name": "m", "dataset": "digits", "model": "nn-2-small", "regularizers": regularizers, **keys})


def trained(tiny, name, params=None, *, epochs=3, model="nn-2-small", **training):
    settings = TrainingSettings(epochs=epochs, batch_size=25, **training)
    engine = SerialEngine(Run("tiny", model, name, params or {}, settings), dataset=tiny)
    while not engine.finished:
        engine.train_epoch()
    return engine


def weights(engine):
    return [p.detach() for p in engine.model.parameters()]


def same(one, other):
    return all(a.equal(b) for a, b in zip(weights(one), weights(other), strict=True))


def test_a_method_may_have_any_name_and_several_regularizers():
    table = {"regularizer": ["adadecay", "dropout"], "rate": [0.1, 0.2]}
    made = study({"weight-decay": {}, "ours": table})
    task = make_plan(made).tasks[1]
    assert (task.regularizer, task.parts) == ("ours", "adadecay+dropout")
    assert set(task.space.domains) == {"weight_decay", "alpha", "rate"}
    again = Study(**made.to_plain())
    assert again.hash == made.hash
    assert make_plan(again).tasks[1].parts == "adadecay+dropout"


def test_a_list_within_the_list_is_a_combination():
    made = study(["weight-decay", ["adadecay", "dropout"]])
    assert [task.parts for task in make_plan(made).tasks] == ["weight-decay", "adadecay+dropout"]


def test_shared_names_get_their_part_before_them():
    names = [p.name for p in regularizer("db+noise-injection").hyperparameters]
    assert names == ["db_strength", "noise_injection_strength"]


def test_a_part_that_is_off_changes_nothing(tiny):
    both = trained(tiny, "adadecay+dropout", {"rate": 0.0, "weight_decay": 0.01})
    assert same(both, trained(tiny, "adadecay", {"weight_decay": 0.01}))
    assert not same(both, trained(tiny, "adadecay+dropout", {"rate": 0.2, "weight_decay": 0.01}))


def test_penalties_and_decays_add_up(tiny):
    """db and weight decay together, and two decays as one of the sum."""
    one = trained(tiny, "db+weight-decay", {"strength": 0.0, "weight_decay": 0.01})
    assert same(one, trained(tiny, "weight-decay", {"weight_decay": 0.01}))
    assert not same(one, trained(tiny, "db+weight-decay", {"strength": 0.1, "weight_decay": 0.01}))
    params = {"weight_decay_weight_decay": 0.004, "sparse_gradients_weight_decay": 0.006, "sparsity": 0.0}
    two = trained(tiny, "weight-decay+sparse-gradients", params)
    for a, b in zip(weights(two), weights(trained(tiny, "weight-decay", {"weight_decay": 0.01})), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_each_part_gets_noise_of_its_own():
    kind = regularizer("adadecay-randomized+noise-injection")
    made = kind()
    shape = torch.Size([4, 5])
    assert made.noise_shape("gradient", shape) == (20,)
    assert made.noise_shape("inputs", shape) == (20,)
    assert made.noise_shape("penalty", shape) is None


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("dropout+dropout", "a regularizer can stand in a combination once"),
        ("residual-smoothing+label-smoothing", "label-smoothing changes the targets of a loss that"),
        ("adadecay+nothing", "unknown regularizer 'nothing'"),
    ],
)
def test_what_does_not_go_together_is_refused(names, said):
    with pytest.raises(TuneRegError, match=said):
        regularizer(names)
    with pytest.raises(StudyError, match=said):
        study([names])


def test_two_owners_of_the_loss_are_refused(monkeypatch):
    from tune_reg.regularizers import registry
    from tune_reg.regularizers.residual_smoothing import ResidualSmoothingRegularizer

    other = type("Other", (ResidualSmoothingRegularizer,), {"name": "other"})
    monkeypatch.setitem(registry._REGISTERED, "other", other)
    with pytest.raises(TuneRegError, match="residual-smoothing and other each bring their own loss; keep one"):
        regularizer("residual-smoothing+other")


@pytest.mark.parametrize(
    ("table", "keys", "said"),
    [
        ({"dropout": {}}, {"model": "small-cnn"}, "regularizers.dropout: dropout needs a model with dropout layers"),
        ({"sparse-gradients": {"sparsity": 1.0}}, {}, "sparse-gradients.sparsity: must lie in"),
        ({"sparse-gradients": {"optimizer": "adam"}}, {}, "only the optimizer sgd allows, but got 'adam'"),
        ({"hsfob": {"probes": 0}}, {}, "hsfob.probes: must lie in"),
        ({"hsfob": {"probes": 1.5}}, {}, "hsfob.probes: must be a whole number, but got 1.5"),
        ({"hsfob": {"estimator": "labels"}}, {}, "hsfob.estimator: must be one of probe, exact"),
        ({"x": {"regularizer": 3}}, {}, "regularizers.x.regularizer: a name or a list of names is wanted, but got 3"),
        ({"x": {"regularizer": "nothing"}}, {}, "regularizers.x: unknown regularizer 'nothing'"),
        (
            {"weight-decay": {"optimizer": "addam"}},
            {},
            "weight-decay.optimizer: unknown optimizer 'addam'; did you mean",
        ),
        ({"weight-decay": {"batch_size": 0}}, {}, "weight-decay.batch_size: "),
        (
            {"weight-decay": {"weight_decay": {"schedule": "cosine", "start": 0.1, "end": -0.1}}},
            {},
            "weight-decay.weight_decay_end: must lie in",
        ),
        (
            {"weight-decay": {"weight_decay": {"schedule": "cosin", "start": 0.1}}},
            {},
            "weight_decay_schedule: unknown schedule 'cosin'; did you mean 'cosine'?",
        ),
        (
            {"weight-decay": {"weight_decay": {"kind": "piecewise", "boundaries": [0.5], "values": [0.1, -0.1]}}},
            {},
            "weight_decay_schedule: must lie in [0, inf), but got -0.1 at 50% of the training",
        ),
        (
            {"weight-decay": {"learning_rate_schedule": {"schedule": "cosine", "end": -1.0}}},
            {},
            "learning_rate_end: must lie in [0, inf), but got -1.0",
        ),
        (
            {"weight-decay": {"weight_decay": {"kind": "piecewise", "boundaries": [2.0], "values": [0.1, 0.2]}}},
            {},
            "weight_decay_schedule: boundaries must rise strictly inside (0, 1), but got [2.0]",
        ),
    ],
)
def test_what_makes_no_sense_is_one_line(table, keys, said):
    with pytest.raises(StudyError) as caught:
        study(table, **keys)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_setting_of_its_own_is_used(tiny):
    own = trained(tiny, "weight-decay", {"optimizer": "adam", "learning_rate": 1e-3, "batch_size": 50})
    assert type(own.optimizer).__name__ == "Adam"
    assert own.steps(0) == 2
    made = study({"weight-decay": {}, "adam": {"regularizer": "weight-decay", "optimizer": "adam"}})
    assert make_plan(made).tasks[1].space["optimizer"] == "adam"


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "adagrad", "accelerated-sgd", "entropy-sgd"])
def test_every_optimizer_trains_and_resumes(tiny, optimizer):
    learning_rate = 5.0 if optimizer == "entropy-sgd" else 0.003
    keys = {"optimizer": optimizer, "learning_rate": learning_rate}
    whole = trained(tiny, "weight-decay", keys, epochs=4)
    assert not whole.diverged
    assert whole.history[-1]["train_loss"] < whole.history[0]["train_loss"]
    settings = TrainingSettings(epochs=4, batch_size=25)
    half, rest = (SerialEngine(Run("tiny", "nn-2-small", "weight-decay", keys, settings), dataset=tiny) for _ in "ab")
    half.train_epoch()
    half.train_epoch()
    rest.load_state(half.state())
    while not rest.finished:
        rest.train_epoch()
    assert same(rest, whole)


def test_a_strength_follows_its_schedule(tiny):
    params = {"weight_decay_schedule": "cosine", "weight_decay_start": 0.1, "weight_decay_end": 0.0}
    engine = trained(tiny, "weight-decay", params)
    assert [row["strength"] for row in engine.history] == pytest.approx([0.1, 0.05, 0.0])
    constant = trained(tiny, "weight-decay", {"weight_decay_schedule": "constant", "weight_decay_value": 0.01})
    assert same(constant, trained(tiny, "weight-decay", {"weight_decay": 0.01}))


def test_a_schedule_is_a_space_of_its_own():
    taper = schedule(["constant", "cosine"], value=1e-4, start=loguniform(1e-5, 1e-2), end=0.0)
    python = study({"weight-decay": {"weight_decay": taper}})
    toml = study(
        {
            "weight-decay": {
                "weight_decay": {
                    "schedule": ["constant", "cosine"],
                    "value": 1e-4,
                    "start": {"low": 1e-5, "high": 1e-2, "log": True},
                    "end": 0.0,
                }
            }
        }
    )
    assert python.hash == toml.hash
    space = make_plan(python).tasks[0].space
    assert space.domains["weight_decay_schedule"] == choice(["constant", "cosine"])
    assert "weight_decay" not in space
    assert Study(**python.to_plain()).hash == python.hash
    assert isinstance(space, SearchSpace)


def test_sparse_gradients_rest_and_learn_again(tiny):
    """Between begin and end the masked weights stay bit for bit, decay and momentum included."""
    settings = TrainingSettings(epochs=5, batch_size=25)
    params = {"sparsity": 0.5, "begin": 0.25, "end": 0.75, "weight_decay": 0.01}
    engine = SerialEngine(Run("tiny", "nn-2-small", "sparse-gradients", params, settings), dataset=tiny)
    resting = []
    while not engine.finished:
        before = [p.detach().clone() for p in engine.parameters]
        engine.train_epoch()
        rest = [int((p == b).sum()) for p, b in zip(engine.parameters, before, strict=True) if p.ndim > 1]
        resting.append(rest)
    half = [round(0.5 * p.numel()) for p in engine.parameters if p.ndim > 1]
    assert resting[1] == resting[2] == half
    assert all(sum(rest) < 10 for rest in (resting[0], resting[3], resting[4]))
    assert [row["strength"] for row in engine.history] == [0.0, 0.5, 0.5, 0.0, 0.0]


def test_the_papers_tapers_epoch_by_epoch():
    """Schemes 01 and 02 over the paper's learning rate of one phase: 0.1 to 1e-5 in five decades."""
    kind = regularizer("weight-decay-taper")
    from tune_reg.regularizers import Progress

    expected = {"sch01": [1e-4, 1e-4, 8e-4, 16e-4, 16e-4], "sch02": [1e-4, 1e-4, 4e-4, 8e-4, 8e-4]}
    for scheme, values in expected.items():
        made = kind(taper=scheme)
        factors = torch.tensor([1.0, 0.1, 0.01, 1e-3, 1e-4], dtype=torch.float64)
        got = [
            float(made.weight_decay({"weight_decay": torch.tensor(1e-4, dtype=torch.float64)}, Progress(f, f, f, f)))
            for f in factors
        ]
        assert got == pytest.approx(values, rel=1e-12)


def test_a_whole_schedule_is_a_choice_too(tiny):
    table = {"kind": "piecewise", "boundaries": [0.5], "values": [0.0, 0.01]}
    made = study({"weight-decay": {"weight_decay": [table, {"kind": "cosine", "start": 0.1}]}})
    assert Study(**made.to_plain()).hash == made.hash
    kinds = make_plan(made).tasks[0].space.domains["weight_decay_schedule"]
    assert [json.loads(kind)["kind"] for kind in kinds.values] == ["piecewise", "cosine"]
    engine = trained(tiny, "weight-decay", {"weight_decay_schedule": kinds.values[0]})
    assert [row["strength"] for row in engine.history] == [0.0, 0.01, 0.01]


def test_a_column_of_the_papers_table_is_a_schedule(tiny):
    made = study({"weight-decay": {"weight_decay_schedule": ["sch01", "sch02"]}})
    assert make_plan(made).tasks[0].space.domains["weight_decay_schedule"] == choice(["sch01", "sch02"])
    engine = trained(tiny, "weight-decay", {"weight_decay_schedule": "sch01"})
    assert [row["strength"] for row in engine.history] == [1e-4, 16e-4, 16e-4]  # at 0, 1/2 and 1 of 450 epochs


def test_the_share_of_resting_weights_follows_its_schedule(tiny):
    settings = TrainingSettings(epochs=3, batch_size=25)
    table = json.dumps({"kind": "piecewise", "boundaries": [0.5], "values": [0.8, 0.0]})
    run = Run("tiny", "nn-2-small", "sparse-gradients", {"sparsity_schedule": table, "begin": 0.0}, settings)
    engine = SerialEngine(run, dataset=tiny)
    before = engine.parameters[0].detach().clone()
    engine.train_epoch()
    resting = float((engine.parameters[0] == before).double().mean())
    assert resting > 0.79
    engine.train_epoch()
    assert float((engine.parameters[0] == before).double().mean()) < 0.4  # weights of empty border pixels never move


def test_settings_have_schedules_whose_parameters_are_searched(tiny):
    taper = {"schedule": "cosine", "end": {"low": 0.01, "high": 0.5}}
    made = study({"weight-decay": {"learning_rate_schedule": taper, "batch_size_schedule": {"kind": "constant"}}})
    space = make_plan(made).tasks[0].space
    assert space["learning_rate_schedule"] == "cosine"
    assert space["learning_rate_end"] == uniform(0.01, 0.5)
    assert Study(**made.to_plain()).hash == made.hash
    params = {"learning_rate": 0.1, "learning_rate_schedule": "cosine", "learning_rate_end": 0.2}
    rates = [row["learning_rate"] for row in trained(tiny, "weight-decay", params).history]
    assert rates == pytest.approx([0.1, 0.06, 0.02])


def test_a_growing_batch_makes_fewer_steps(tiny):
    params = {
        "batch_size": 20,
        "batch_size_schedule": json.dumps({"kind": "piecewise", "boundaries": [0.4], "values": [1, 2]}),
    }
    engine = SerialEngine(Run("tiny", "nn-2-small", "weight-decay", params, TrainingSettings(epochs=3)), dataset=tiny)
    n = len(engine.train_index)
    assert [engine.steps(epoch) for epoch in range(3)] == [math.ceil(n / 20), math.ceil(n / 40), math.ceil(n / 40)]
    total = sum(engine.steps(epoch) for epoch in range(3))
    last = engine.plan.progress(2, engine.steps(2) - 1, torch.float64, torch.device("cpu"))
    assert float(last.step) == pytest.approx((total - 1) / total)


def by_hand(trial):
    mode = trial.suggest_categorical("mode", ["coupled", "decoupled"])
    alpha = trial.suggest_float("alpha", 0, 8) if mode == "coupled" else 0.0
    return {"mode": mode, "alpha": alpha, "weight_decay": 10 ** trial.suggest_float("exponent", -4, -1)}


def outside(trial):
    return {"weight_decay": trial.suggest_float("weight_decay", -1.0, 1.0)}


def test_a_function_of_a_trial_is_a_method_from_python_and_from_a_file():
    python = study({"adadecay": by_hand, "weight-decay": {}})
    name = f"{by_hand.__module__}:by_hand"
    plain = study({"adadecay": {"space": name, "start": []}, "weight-decay": {}})
    assert python.to_plain()["regularizers"]["adadecay"] == {"space": name, "start": []}
    assert python.hash == plain.hash != study({"adadecay": {}, "weight-decay": {}}).hash
    assert make_plan(python).tasks[0].trials == 16


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"weight-decay": outside}, "regularizers.weight-decay.space: weight_decay: must lie in"),
        ({"weight-decay": by_hand}, "regularizers.weight-decay.space: mode: weight-decay has no such hyperparameter"),
        ({"weight-decay": {"space": 3}}, "space: a function or its package.module:function is wanted, but got 3"),
        ({"weight-decay": {"space": "nowhere:f"}}, "space 'nowhere:f' cannot be imported"),
        (
            {"adadecay": {"space": by_hand, "alpha": 4.0}},
            "adadecay.space: stands in place of hyperparameters, but got alpha beside it",
        ),
    ],
)
def test_a_function_that_does_not_fit_is_one_line(table, said):
    with pytest.raises(StudyError) as caught:
        study(table)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parameters_of_a_schedule_are_asked_for_with_their_kinds_alone():
    taper = schedule(["constant", "cosine"], value=loguniform(1e-5, 1e-3), start=loguniform(1e-5, 1e-2), end=0.0)
    made = study({"weight-decay": {"weight_decay": taper}})
    space = make_plan(made).tasks[0].space
    assert space.conditions == {
        "weight_decay_value": {"weight_decay_schedule": ("constant",)},
        "weight_decay_start": {"weight_decay_schedule": ("cosine",)},
    }
    assert Study(**made.to_plain()).hash == made.hash


def test_the_grid_of_the_paper_is_a_word():
    made = study({"db": {"space": "paper"}, "adadecay": {"space": "paper", "alpha": 4.0}}, search={"sampler": "grid"})
    assert make_plan(made).tasks[0].space.domains["strength"].values[0] == 1e-6
    assert len(make_plan(made).tasks[0].space.domains["strength"].values) == 14
    assert set(make_plan(made).tasks[1].space.domains) == {"weight_decay"}
    assert Study(**made.to_plain()).hash == made.hash
    with pytest.raises(StudyError, match=r"regularizers.l1.space: no paper gives a grid for l1; leave space out"):
        study({"l1": {"space": "paper"}})
