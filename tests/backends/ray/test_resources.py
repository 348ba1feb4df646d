"""How many trials fit on a cluster."""

import random

import pytest

from tune_reg.backends.ray.resources import demand, refuse_what_fits_nowhere, slots
from tune_reg.errors import ClusterError
from tune_reg.study import ResourceSettings


@pytest.mark.parametrize(
    ("nodes", "resources", "fit"),
    [
        ([{"CPU": 4}, {"CPU": 4}], {"cpus": 3}, 2),  # not 8 // 3
        ([{"CPU": 64, "GPU": 3}], {"gpus": 2.0}, 1),
        ([{"CPU": 64, "GPU": 2}], {"gpus": 0.1}, 20),
        ([{"CPU": 64, "GPU": 2}], {"gpus": 0.6}, 2),  # a share lies on one GPU
        ([{"CPU": 64, "GPU": 2}], {"gpus": 1.0}, 2),
        ([{"CPU": 64, "memory": 10e9}], {"memory_gb": 3.0}, 3),
        ([{"CPU": 8, "GPU": 1, "accelerator_type:A100": 1}], {"gpus": 0.25, "accelerator_type": "A100"}, 4),
        ([{"CPU": 8, "GPU": 1, "accelerator_type:T4": 1}], {"gpus": 0.25, "accelerator_type": "A100"}, 0),
        ([{"object_store_memory": 1.0}, {"CPU": 2}], {}, 2),  # a head without processors
        ([], {}, 0),
    ],
)
def test_what_fits(nodes, resources, fit):
    assert slots(nodes, demand(ResourceSettings(**resources))) == fit


def test_it_is_what_putting_one_after_the_other_comes_to():
    rng = random.Random(0)
    for _ in range(300):
        needed = {"CPU": float(rng.randint(1, 4)), "GPU": rng.choice([0.1, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.7, 1.0, 2.0])}
        nodes = [{"CPU": float(rng.randint(0, 30)), "GPU": float(rng.randint(0, 4))} for _ in range(3)]
        placed = 0
        for node in nodes:
            cpus, gpus = node["CPU"], [1.0] * int(node["GPU"])
            while cpus >= needed["CPU"]:
                if needed["GPU"] > 1:
                    room = [i for i, free in enumerate(gpus) if free == 1][: int(needed["GPU"])]
                    if len(room) < needed["GPU"]:
                        break
                    share = 1.0
                else:
                    room, share = [i for i, free in enumerate(gpus) if free >= needed["GPU"] - 1e-9][:1], needed["GPU"]
                if not room:
                    break
                for i in room:
                    gpus[i] -= share
                cpus -= needed["CPU"]
                placed += 1
        assert slots(nodes, needed) == placed, (nodes, needed)


def test_what_fits_nowhere_is_one_line():
    needed = demand(ResourceSettings(cpus=8, gpus=1.0))
    with pytest.raises(ClusterError) as error:
        refuse_what_fits_nowhere([{"CPU": 4.0, "GPU": 1.0}, {"CPU": 16.0}], needed)
    assert str(error.value) == (
        "resources: a trial needs 8 CPU, 1 GPU, which no node has (there: 4 CPU, 1 GPU; 16 CPU, 0 GPU); ask for less "
        "in [resources], or start such a node first"
    )
    refuse_what_fits_nowhere([{"CPU": 8.0, "GPU": 1.0}], needed)
