"""The plan of a run, and what a plugin decides of a training: which weights rest, and how noise is laid out."""

import pytest
import torch

from tune_reg.regularizers import Progress, registry, regularizer
from tune_reg.training import LaneEngine, Run, SerialEngine, TrainingPlan, TrainingSettings


def run_of(name="weight-decay", params=None, *, seed=0, **training):
    settings = TrainingSettings(**{"epochs": 4, "batch_size": 32, "learning_rate_schedule": "cosine", **training})
    return Run("tiny", "nn-2-small", name, params or {}, settings, seed=seed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_table_of_an_epoch_is_the_progress_of_its_steps(tiny, dtype):
    plan = TrainingPlan(run_of(batch_size_schedule={"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]}), tiny)
    done = []
    for epoch in range(4):
        table = plan.progress_table(epoch, dtype)
        assert table.dtype == dtype
        assert len(table) == plan.steps(epoch) == (7 if epoch < 2 else 4)
        for step, row in enumerate(table):
            assert torch.stack(plan.progress(epoch, step, dtype, torch.device("cpu"))).equal(row)
        done += Progress(*table.unbind(1)).step.tolist()
    assert done == pytest.approx([i / 22 for i in range(22)])


def test_an_epochs_settings_are_those_of_its_first_step(tiny):
    plan = TrainingPlan(run_of("dropout", {"rate": 0.25}), tiny)
    rates = [plan.epoch_settings(epoch).learning_rate for epoch in range(4)]
    assert rates == pytest.approx([0.1, 0.075, 0.025, 0.0])
    assert plan.epoch_settings(2)[1:] == (0.25, 0.0, 0.25)


def test_a_mask_is_kept_until_the_share_of_resting_weights_changes(tiny):
    weights = [torch.zeros(20, 10), torch.zeros(20)]
    plan = TrainingPlan(run_of("sparse-gradients", {"begin": 0.3, "end": 0.9, "sparsity": 0.5}, epochs=5), tiny)
    masks = [plan.masks(epoch, weights) for epoch in range(5)]
    assert [list(mask) for mask in masks] == [[], [], [0], [0], []]
    assert masks[2][0].equal(masks[3][0])
    assert int(masks[2][0].sum()) == 100
    other = TrainingPlan(run_of("sparse-gradients", {"begin": 0.3, "sparsity": 0.5}, epochs=5, seed=1), tiny)
    assert not other.masks(2, weights)[0].equal(masks[2][0])


class FirstRowsRest(regularizer("sparse-gradients")):
    """Its share says that weights rest, and its mask which: the first row of each tensor, also of biases."""

    name = "first-rows"

    def mask(self, parameter, sparsity, source):
        mask = torch.ones_like(parameter)
        mask[0] = 0
        return mask


class NoiseOfSamples(regularizer("confidence-penalty")):
    """Its penalty weighs each sample by a random number, which many lanes keep in front of the batch."""

    name = "noise-of-samples"

    def noise_shape(self, hook, shape):
        return tuple(shape[:-1]) if hook == "penalty" else None

    def lane_penalty_noise(self, noise, shape):
        assert noise.shape[1:] == shape[:1]
        return noise

    def penalty(self, inputs, outputs, targets, strengths, progress, noise):
        return strengths["strength"] * (noise * outputs.square().sum(-1)).mean(-1)


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    registered = {**registry._REGISTERED, "first-rows": FirstRowsRest, "noise-of-samples": NoiseOfSamples}
    monkeypatch.setattr(registry, "_REGISTERED", registered)


def test_a_plugin_decides_which_weights_rest(tiny):
    run = run_of("first-rows", {"begin": 0.0})
    engine = SerialEngine(run, dataset=tiny)
    before = [parameter.detach().clone() for parameter in engine.parameters]
    engine.train_epoch()
    for parameter, old in zip(engine.parameters, before, strict=True):
        assert parameter[0].equal(old[0])
        assert not parameter[1:].equal(old[1:])


@pytest.mark.parametrize("name", ["first-rows", "noise-of-samples", "l1+first-rows", "fob+noise-of-samples"])
def test_a_plugin_trains_side_by_side_as_it_does_alone(tiny, name):
    runs = [run_of(name, seed=seed, learning_rate=0.02 * (1 + seed)) for seed in range(2)]
    lanes = LaneEngine(runs, dataset=tiny, dtype=torch.float64)
    for _ in range(2):
        lanes.train_epoch()
    for lane, run in enumerate(runs):
        alone = SerialEngine(run, dataset=tiny, dtype=torch.float64)
        for _ in range(2):
            alone.train_epoch()
        together = lanes.state(lane)["model"]
        for key, value in alone.state()["model"].items():
            assert torch.allclose(together[key], value, rtol=0, atol=1e-10), key
