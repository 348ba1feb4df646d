"""What a reproduction costs, by rates that were measured: core-hours, and GPU-hours where a GPU was tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from tune_reg.study import Study, make_plan

#: Images a second that one core trains with plain SGD, batches of 128 (the thesis' network: Adam, batches of 32): by
#: network and whether images are 32 x 32 in colour. Measured with torch 2.13 on one thread of two shared cores.
_MEASURED: Final[Mapping[tuple[str, bool], float]] = {
    ("nn-2", False): 22_000,
    ("nn-2-small", False): 58_000,
    ("lenet-4", False): 3_000,
    ("small-cnn", False): 2_065,
    ("small-cnn", True): 1_355,
    ("resnet-20", False): 376,
    ("resnet-8-keras", True): 707,
}
#: Multiplications and additions for an image, in millions, of networks without a measured rate: theirs follows from
#: that of ResNet-20, 376 images of 30.8 million a second.
_MACS: Final[Mapping[str, float]] = {
    "nn-3": 0.93,
    "vgg-9": 117,
    "resnet-14": 26.4,
    "resnet-20": 40.6,
    "resnet-20-keras": 40.6,
    "resnet-32": 68.9,
    "resnet-56": 125,
    "resnet-18": 555,
    "resnet-50": 1298,
    "googlenet": 1530,
    "densenet-bc-100-12": 288,
}
_MACS_A_SECOND: Final = 376 * 30.8
#: How much longer a step takes than a plain one.
_TIMES: Final[Mapping[str, float]] = {
    **dict.fromkeys(("db", "jac", "fob", "hsfob", "hsfob-db1", "hsfob-db2"), 1.8),
    **dict.fromkeys(("adadecay", "adadecay-matched", "adadecay-randomized"), 1.5),
    "adadecay-shuffled": 10.0,  # it sorts a random number for each weight
}
#: The cost of an image that validates, beside that of one that trains: the forward pass alone.
_VALIDATION: Final = 1 / 3
#: Images a second on one H200 that trains 64 runs side by side with SGD, torch 2.11.
_ON_A_GPU: Final[Mapping[str, float]] = {"nn-2": 4_500_000, "lenet-4": 567_000, "small-cnn": 517_000}


class Cost(NamedTuple):
    """What some studies cost."""

    runs: int
    images: int  # that pass through a network in training
    core_hours: float
    gpu_hours: float | None  # on an H200, runs side by side; None where no GPU was measured at it


def cost(studies: Iterable[Study]) -> Cost:
    """What ``studies`` cost together, an estimate from measured rates.

    >>> from tune_reg.reproduction.catalogue import reproducible
    >>> small = reproducible("adadecay-table-2").blocks("small")
    >>> cost(small[0].studies("x").values()).runs
    30
    """
    runs, images, seconds, on_gpu = 0, 0, 0.0, 0.0
    measured_on_gpu = True
    for study in studies:
        colour = study.dataset in ("cifar10", "cifar100", "svhn")
        plan, training = make_plan(study), study.training
        validations = sum(training.validates_after(epoch) for epoch in range(1, training.epochs + 1)) / training.epochs
        for method in plan.costs:
            runs += method.trials + method.confirmed_runs
            images += method.image_passes
            parts = study.regularizers[method.regularizer].regularizer.split("+")
            times = max(_TIMES.get(part, 1.0) for part in parts)
            validated = (method.search_epochs + method.confirm_epochs) * validations * plan.validation_images
            passes = method.image_passes * times + validated * _VALIDATION
            seconds += passes / rate(study.model, colour=colour)
            measured_on_gpu &= study.model in _ON_A_GPU and study.training.optimizer == "sgd"
            on_gpu += passes / _ON_A_GPU.get(study.model, 1.0)
    return Cost(runs, images, seconds / 3600, on_gpu / 3600 if measured_on_gpu else None)


def rate(model: str, *, colour: bool) -> float:
    """Images a second that one core trains, a plain step each; from multiplications where it was not measured.

    >>> rate("nn-2", colour=False)
    22000
    """
    measured = _MEASURED.get((model, colour))
    return _MACS_A_SECOND / _MACS[model] if measured is None else measured
