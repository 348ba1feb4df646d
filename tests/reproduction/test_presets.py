"""Every table and figure as studies: nothing published is left out, and the papers' settings are kept."""

import pytest

from analysis.measures.reproduction.published import published
from tune_reg.errors import StudyError
from tune_reg.reproduction import REPRODUCTIONS, SCALES, cost, reproducible
from tune_reg.reproduction.preset import declaration
from tune_reg.study import make_plan

WITH_NUMBERS = [name for name, item in REPRODUCTIONS.items() if published(item.paper, item.table)]


def studies(item, scale):
    return {path: study for block in item.blocks(scale) for path, study in block.studies(item.name).items()}


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_every_published_number_has_methods_at_full_scale(name):
    item = REPRODUCTIONS[name]
    declared = declaration(item, "full")
    there = {
        (block.dataset, block.model, column.method, column.setting, size)
        for block in declared.blocks
        for column in block.columns
        for size in block.sizes
    }
    for number in published(item.paper, item.table):
        assert (number.dataset, number.model, number.method, number.setting, number.size) in there, number.cell


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_columns_name_methods_of_the_study_and_published_numbers(name, scale):
    item = REPRODUCTIONS[name]
    numbers = {
        (number.dataset, number.model, number.method, number.setting) for number in published(item.paper, item.table)
    }
    for block in item.blocks(scale):
        for column in block.columns:
            assert set(column.methods) <= set(block.methods)
            assert (block.dataset, block.model, column.method, column.setting) in numbers
        for line in block.curves.lines if block.curves else ():
            assert {method for _, method in line.points} <= set(block.methods)
        for claim in block.claims:
            assert {claim.better, claim.worse} <= set(block.methods)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_nothing_is_searched(name, scale):
    for study in studies(REPRODUCTIONS[name], scale).values():
        assert [task.trials for task in make_plan(study).tasks] == [1] * len(study.regularizers)


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_two_cores_train_the_small_scale_in_about_an_hour(name):
    assert cost(studies(REPRODUCTIONS[name], "small").values()).core_hours <= 2.25


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_what_the_small_scale_does_otherwise_is_said(name):
    assert REPRODUCTIONS[name].deviations["small"]


def test_full_scales_have_the_settings_of_the_papers():
    study = studies(REPRODUCTIONS["residual-smoothing-table-1"], "full")["studies/fashion-mnist/paper"]
    assert (study.training.epochs, study.training.loss, study.most_seeds) == (48, "mse", 5)
    rates = [study.training.learning_rate * study.training.schedule()(epoch / 47) for epoch in range(48)]
    assert rates == pytest.approx([0.1] * 36 + [0.001] * 12)
    assert len(study.regularizers) == 4 + 2 * 5 + 2 * 5 * 5

    study = studies(REPRODUCTIONS["adadecay-table-3"], "full")["studies/cifar10-resnet-18/paper"]
    assert (study.training.epochs, study.most_seeds, study.training.augment) == (100, 32, "crop-flip")
    assert study.regularizers["adam"].space["learning_rate"] == 1e-4

    study = studies(REPRODUCTIONS["learning-rate-figures-1-to-4"], "full")["studies/cifar10-resnet-14/paper"]
    rates = [study.training.learning_rate * study.training.schedule()(epoch / 449) for epoch in (0, 50, 250, 449)]
    assert rates == pytest.approx([0.1, 0.01, 0.1, 1e-5])
    assert study.training.batch_size == 50

    study = studies(REPRODUCTIONS["noise-and-penalties-table-2"], "full")["studies/50-images-a-class/validation"]
    assert (study.training.epochs, study.training.batch_size, study.training.optimizer) == (100, 32, "adam")
    assert (study.most_seeds, study.images_per_class) == (10, [50])
    assert len(study.regularizers) == 1 + 7 * 14


def test_one_block_can_be_had():
    item = reproducible("adadecay-table-3/mnist-nn-2")
    assert [block.name for block in item.blocks("full")] == ["mnist-nn-2"]
    with pytest.raises(StudyError, match="has no block 'mnist-nn-2' at scale small; it has fashion-mnist-nn-2"):
        item.blocks("small")


def test_an_unknown_name_is_one_line():
    with pytest.raises(StudyError, match="no table or figure 'adadecay-table-4'; did you mean 'adadecay-table-"):
        reproducible("adadecay-table-4")
