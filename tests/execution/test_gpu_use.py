"""How many trials share a GPU, where a study leaves it open."""

import pytest
from digits import digits_study

from tune_reg.backends.ray.resources import demand, slots
from tune_reg.execution.gpu_use import gpu_lines, most_lanes, resolved, trials_a_gpu
from tune_reg.execution.provenance import write_provenance, write_resources
from tune_reg.store import Results
from tune_reg.study import ResourceSettings, make_plan


@pytest.mark.parametrize(
    ("gpus", "trials", "lanes", "shared"),
    [
        (1, 1, 16, 1),  # one method: its lanes are all in one process
        (1, 2, 16, 2),
        (1, 4, 16, 4),
        (1, 5, 16, 4),  # the fifth would be lanes beyond those that fill it
        (1, 9, 20, 3),
        (1, 9, 33, 1),  # one fills more than half
        (1, 9, 64, 1),
        (1, 9, 500, 1),
        (1, 9, 2, 4),  # a process has its cost, too
        (1, 100, 1, 4),
        (2, 4, 16, 2),
        (2, 5, 16, 3),
        (8, 5, 16, 1),  # no more than there are GPUs for
        (8, 3, 1, 1),
    ],
)
def test_a_gpu_is_shared_until_it_is_filled(gpus, trials, lanes, shared):
    assert trials_a_gpu(gpus, trials=trials, lanes=lanes) == shared


def plan_of(regularizers=2, trials=16, resources=None, **settings):
    names = ["weight-decay", "adadecay", "l1", "dropout", "hsfob"][:regularizers]
    search = {"trials": trials, "pruner": "none"}
    return make_plan(digits_study(regularizers=names, search=search, resources=resources or {}, **settings))


def use_of(plan, *nodes):
    least = demand(plan.study.resources)
    return resolved(plan, lambda gpus: slots(nodes, {**least, "GPU": gpus}))


BIG = {"CPU": 64.0, "GPU": 1.0, "accelerator_type:H100": 1.0}


@pytest.mark.parametrize(
    ("plan", "nodes", "gpus", "lanes"),
    [
        ({}, [{"CPU": 8}], 0.0, 1),
        ({}, [], 0.0, 1),
        ({"resources": {"lanes": 4}}, [{"CPU": 8}], 0.0, 4),
        ({}, [BIG], 0.5, "auto"),
        ({}, [BIG, BIG], 1.0, "auto"),
        ({}, [{"CPU": 8}, BIG], 0.5, "auto"),  # a node without a GPU has nothing to do
        ({"regularizers": 3}, [BIG], 1 / 3, "auto"),
        ({"trials": 40}, [BIG], 1.0, "auto"),
        ({}, [{**BIG, "CPU": 1.0}], 1.0, "auto"),  # no processor for a second trial
        ({"resources": {"memory_gb": 4.0}}, [{**BIG, "memory": 7e9}], 1.0, "auto"),
        ({}, [{"CPU": 0.0, "GPU": 4.0}], 0.0, 1),  # GPUs that no trial can be put beside
        ({"resources": {"lanes": 1}}, [BIG], 0.25, 1),
        ({"resources": {"lanes": 1}}, [{**BIG, "CPU": 2.0}], 0.5, 1),
        ({"resources": {"lanes": 8}}, [BIG], 0.5, 8),
        ({"resources": {"gpus": 0}}, [BIG], 0.0, 1),
        ({"resources": {"gpus": 0.125}}, [BIG], 0.125, "auto"),
        ({"resources": {"gpus": 1, "lanes": 7}}, [BIG], 1.0, 7),
        ({"resources": {"accelerator_type": "H100"}}, [BIG], 0.5, "auto"),
        # No such GPU: a trial waits for none, and the study does not begin on processors in its place.
        ({"resources": {"accelerator_type": "T4"}}, [BIG], 1.0, "auto"),
    ],
)
def test_what_auto_is_on_a_cluster(plan, nodes, gpus, lanes):
    use = use_of(plan_of(**plan), *nodes)
    assert (use.gpus, use.lanes) == (gpus, lanes)


@pytest.mark.parametrize("gpus", [1, 2, 3, 8])
@pytest.mark.parametrize("regularizers", [1, 2, 5])
@pytest.mark.parametrize("trials", [1, 8, 16, 64])
def test_lanes_at_a_time_do_not_pass_what_fills_all_gpus_by_accident(gpus, regularizers, trials):
    plan = plan_of(regularizers, trials)
    node = {"CPU": 64.0, "GPU": float(gpus)}
    use = use_of(plan, node)
    workers = slots([node], {"CPU": 1.0, "GPU": use.gpus})
    assert gpus <= workers <= 4 * gpus
    assert workers == gpus or workers * most_lanes(plan) <= 64 * gpus


def test_what_cannot_be_lanes_has_the_gpu_too_and_the_reason_is_said():
    def space(trial):
        return {"strength": trial.suggest_float("strength", 0.0, 1.0)}

    plan = plan_of(1, resources={}, training={"epochs": 2, "batch_size": 64})
    study = digits_study(regularizers={"l1": space}, search={"trials": 16, "pruner": "none"})
    plan = make_plan(study)
    use = use_of(plan, BIG)
    assert (use.gpus, use.lanes) == (0.25, 1)
    assert gpu_lines(plan, use, 1) == [
        "gpus: auto, 1 GPU is at hand, and 4 trials share one",
        "lanes: auto, but runs train one at a time; lanes: the space of l1 is a function, which may give anything",
    ]


def test_a_trainer_of_ones_own_has_a_gpu_for_itself():
    own = {"trainer": "own_loops:saves", "model": "", "dataset": "", "examples": 1200, "training": {"batch_size": 20}}
    plan = make_plan(digits_study(**own, search={"trials": 16, "pruner": "none"}))
    assert (use_of(plan, BIG).gpus, use_of(plan, BIG).lanes) == (1.0, 1)
    share = make_plan(digits_study(**own, resources={"gpus": 0.25}))
    assert use_of(share, BIG).gpus == 0.25


@pytest.mark.parametrize(
    ("resources", "gpus", "said"),
    [
        ({}, 0, []),
        ({}, 2, ["gpus: auto, 2 GPUs are at hand, and a trial has one"]),
        ({"gpus": 1}, 2, []),
        ({"lanes": 8}, 1, ["gpus: auto, 1 GPU is at hand, and 2 trials share one"]),
    ],
)
def test_what_is_open_is_said_and_nothing_else(resources, gpus, said):
    plan = plan_of(resources=resources)
    node = {"CPU": 64.0, "GPU": float(gpus)}
    measured = ["lanes: auto, measured on each GPU before the first group"] if gpus and "lanes" not in resources else []
    assert gpu_lines(plan, use_of(plan, node), gpus) == said + measured


def test_provenance_has_the_numbers_and_keeps_them(tmp_path):
    first = {"study_hash": "a", "argv": "", "code": {"commit": None}, "digests": {}, "regularizers": {}}
    write_provenance(tmp_path, first)
    for resources in (ResourceSettings(gpus=0.5), ResourceSettings(gpus=0.25, lanes=4)):
        write_resources(tmp_path, resources)
        expected = {"gpus": resources.gpus, "lanes": resources.lanes}
        assert Results(tmp_path).provenance()["resources"] == expected
    write_provenance(tmp_path, {**first, "study_hash": "b"})
    assert Results(tmp_path).provenance()["resources"] == expected
