"""A study whose runs a training loop of the user's trains: what it must say, and what goes with it."""

import own_loops
import pytest

from tune_reg.errors import StudyError
from tune_reg.execution.code_digests import code_digests
from tune_reg.execution.lane_keys import lanes_note
from tune_reg.study import Study, make_plan
from tune_reg.user_function import import_function

BASE = {"name": "x", "trainer": "own_loops:saves", "regularizers": ["weight-decay", "dropout"]}
OWN = {**BASE, "examples": 1200}
TRAINING = {"batch_size": 20}


def test_it_needs_no_model_and_is_read_back_as_it_was_written():
    study = Study(**OWN, fractions=[0.1, 1.0], training=TRAINING)
    assert Study(**study.to_plain()) == study
    assert not {"dataset", "model"} & set(study.to_plain())
    assert (study.n_train, study.validation_images, study.test_images) == (1200, 200, None)
    assert [study.images(part.fraction) for part in study.training_sets] == [100, 1000]
    assert make_plan(study).costs[0].image_passes > 0


def test_on_a_data_set_it_has_that_ones_sizes():
    study = Study(**BASE, dataset="digits", images_per_class=[5, 50], robustness={"fgsm": [0.1]}, training=TRAINING)
    assert (study.n_train, study.test_images) == (1437, 360)
    assert [part.name for part in study.training_sets] == ["5 a class", "50 a class"]


def test_a_function_is_taken_by_its_name():
    assert Study(**{**OWN, "trainer": own_loops.saves}) == Study(**OWN)


def test_a_function_without_a_module_is_taken_as_other_objects_are():
    study = Study(**{**OWN, "trainer": lambda run: run.finish({"accuracy": 1.0})})
    assert study.trainer.startswith("python:")
    assert callable(import_function(study.trainer, "trainer"))


def test_its_name_is_part_of_the_hash_and_other_studies_keep_theirs():
    assert Study(**OWN).hash != Study(**{**OWN, "trainer": "own_loops:forgets"}).hash
    plain = Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"], search={"pruner": "pause"})
    assert plain.hash == "48b7d49971baa817"
    assert not {"trainer", "examples"} & set(plain.to_plain())


def test_its_code_decides_the_runs_of_every_method():
    saves, forgets = (code_digests(Study(**{**OWN, "trainer": f"own_loops:{name}"})) for name in ("saves", "forgets"))
    for name in BASE["regularizers"]:
        assert saves.of_method(name) != forgets.of_method(name)
    assert saves.trainer is not None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({**BASE}, "examples: is required with a trainer that brings its own data"),
        ({**OWN, "model": "nn-2"}, "model: a trainer makes its own, but got 'nn-2'"),
        ({**OWN, "dataset": "digits"}, "examples: dataset 'digits' says how many there are"),
        ({**OWN, "protocol": "paper"}, 'protocol: "paper": needs images that tune-reg knows'),
        ({**OWN, "images_per_class": [5]}, "images_per_class: needs images"),
        ({**OWN, "robustness": {"fgsm": [0.1]}}, "robustness: needs images that tune-reg knows; give dataset"),
        ({**OWN, "trainer": "own_loops:none"}, "trainer: trainer 'own_loops:none' cannot be imported"),
        ({**OWN, "trainer": "own_loops"}, "trainer: trainer 'own_loops' must be package.module:function"),
        ({**OWN, "trainer": 3}, "trainer: must be a valid string, but got 3"),
        ({**OWN, "regularizers": ["l1", "sam"]}, "regularizers.sam: changes whole steps or mixes examples"),
        ({**OWN, "regularizers": ["l1", "mixup"]}, "regularizers.mixup: changes whole steps or mixes examples"),
        ({**OWN, "examples": 0}, "examples: must be greater than or equal to 1, but got 0"),
        ({**OWN, "training": {"batch_size": 2000}}, "training.batch_size: must be <= the images of the smallest"),
        ({"name": "x", "regularizers": ["l1"]}, "dataset: is required\nmodel: is required"),
        (
            {"name": "x", "dataset": "digits", "model": "nn-2", "regularizers": ["l1"], "examples": 5},
            "examples: is for the data of a trainer of one's own",
        ),
    ],
)
def test_a_mistake_names_its_key(keys, message):
    with pytest.raises(StudyError) as raised:
        Study(**keys)
    assert message in str(raised.value)


def test_its_runs_train_one_at_a_time():
    note = lanes_note(make_plan(Study(**OWN, resources={"lanes": 4})))
    assert note.endswith("so they train one at a time; the runs of a trainer of one's own train one at a time")
