"""Random numbers of lanes, drawn for several steps at a time, are those that single steps draw."""

import pytest
import torch

from tune_reg.training import LaneEngine, Run, TrainingSettings, inputs


@pytest.mark.parametrize("name", ["hsfob", "noise-injection", "adadecay-randomized", "mixup"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_of_several_steps_are_those_of_one_step_after_the_other(name, dtype, random_images, monkeypatch):
    """The last batch of an epoch is smaller, and its numbers may be no multiple of what is drawn at a time."""
    runs = [Run("tiny", "nn-2", name, {}, TrainingSettings(epochs=2, batch_size=16), seed=seed) for seed in (0, 1)]
    dataset = random_images(84, 6, 8)

    def tables():
        engine = LaneEngine(runs, dataset=dataset, dtype=dtype)
        engine.train_epoch()
        program = engine._program_for([0, 1])
        assert program.inputs._noise
        return program.inputs._noise

    together = tables()
    monkeypatch.setattr(inputs, "_DRAWN_TOGETHER", 2**40 + 1)
    apart = tables()
    assert together.keys() == apart.keys()
    assert all(torch.equal(together[purpose], apart[purpose]) for purpose in apart)
