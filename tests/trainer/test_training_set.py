"""Which examples a training loop is to train on, and which it is scored on."""

import pytest
import torch

from tune_reg.data import load
from tune_reg.errors import StudyError
from tune_reg.trainer import TrainerSet
from tune_reg.training import Run, SerialEngine

CPU = torch.device("cpu")
LABELS = torch.tensor([0] * 90 + [1] * 30)


def part(fraction=1.0, seed=0, **settings):
    return TrainerSet(
        Run("", "", "l1", fraction=fraction, seed=seed, trainer="loop:train", examples=120, **settings), None, CPU
    )


def test_smaller_parts_lie_in_larger_ones_and_validation_is_the_same_for_all_seeds():
    half, whole = part(0.5).indices(), part().indices()
    assert len(half) == 50
    assert half.tolist() == whole[:50].tolist()
    assert part(seed=1).indices().tolist() != whole.tolist()
    validation = part().validation_indices()
    assert validation.tolist() == part(0.5, seed=1).validation_indices().tolist()
    assert sorted([*whole.tolist(), *validation.tolist()]) == list(range(120))


def test_with_labels_the_validation_split_is_stratified():
    validation = part().validation_indices(LABELS)
    assert LABELS[validation].bincount().tolist() == [15, 5]
    assert set(part().indices(LABELS.tolist()).tolist()).isdisjoint(validation.tolist())
    assert len(part(0.5).indices(LABELS)) == len(part(0.5).indices()) == 50


def test_another_number_of_examples_is_refused():
    with pytest.raises(StudyError, match="key examples says 120 training examples, but got 119"):
        part().indices(119)
    with pytest.raises(StudyError, match="labels must be whole numbers"):
        part().indices(torch.rand(120))


def test_of_a_data_set_the_images_are_those_of_the_engine():
    run = Run("digits", "nn-2-small", "l1", images_per_class=5, seed=2)
    engine, mine = SerialEngine(run), TrainerSet(run, load("digits"), CPU)
    for name in ("train", "validation", "test"):
        images, labels = getattr(mine, name)()
        wanted, targets = engine.batch(name, torch.arange(engine.size(name)))
        assert torch.equal(images, wanted)
        assert torch.equal(labels, targets)
    assert mine.name == "5 a class"


def test_a_loop_with_data_of_its_own_has_no_images_here():
    with pytest.raises(StudyError, match=r"run\.training_set\.train: the study names no dataset"):
        part().train()


def test_in_protocol_paper_the_test_set_validates():
    mine = TrainerSet(Run("digits", "", "l1", protocol="paper"), load("digits"), CPU)
    assert torch.equal(mine.validation()[0], mine.test()[0])
    with pytest.raises(StudyError, match="the test set validates"):
        mine.validation_indices()
