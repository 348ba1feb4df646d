"""Which networks a study keeps in its results directory, and how much room they take."""

from __future__ import annotations

from typing import Final

import torch

from tune_reg.optimizers import build as build_optimizer
from tune_reg.study import StudyPlan
from tune_reg.training.unfilled_network import unfilled_network

#: Checkpoints of a run: the older one serves where the newest is broken.
_CHECKPOINTS: Final = 2
_UNITS: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def kept_networks_note(plan: StudyPlan) -> str:
    """A line that says which networks the study will keep, how many at most, and how large they are in all."""
    study, keep = plan.study, plan.study.resources.keep_networks
    if keep == "none":
        return "networks: none is kept once its run is stored (resources.keep_networks)"
    confirmed = sum(row.confirmed_runs for row in plan.costs)
    trials = sum(row.trials for row in plan.costs) * study.search.seeds if keep == "all" else 0
    runs = confirmed + trials
    each = _CHECKPOINTS * _checkpoint_bytes(plan)
    which = "confirmed runs and trials" if trials else "confirmed runs"
    return (
        f"networks: those of the {which} are kept, {runs:,} at most, each about {_size(each)} as two checkpoints with "
        f"the optimizer's state, {_size(runs * each)} in all (resources.keep_networks)"
    )


def _checkpoint_bytes(plan: StudyPlan) -> int:
    """The bytes of the weights, and of what the optimizer of ``[training]`` keeps for them."""
    study = plan.study
    network = unfilled_network(study.model, study.dataset)
    state: int = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    return state + _numbers_a_weight(study.training.optimizer, study.training.momentum) * weights


def _numbers_a_weight(optimizer: str, momentum: float) -> int:
    """How many numbers an optimizer keeps for each weight: 1 of sgd with momentum, 2 of adam.

    >>> _numbers_a_weight("sgd", 0.9), _numbers_a_weight("sgd", 0.0), _numbers_a_weight("adam", 0.9)
    (1, 0, 2)
    """
    weight = torch.zeros(2, requires_grad=True)
    made = build_optimizer(optimizer, [weight], lr=0.1, momentum=momentum, generator=torch.Generator())
    weight.grad = torch.zeros(2)
    made.step(lambda: 0.0)
    kept = [value for value in made.state[weight].values() if isinstance(value, torch.Tensor)]
    return len([value for value in kept if value.shape == weight.shape])


def _size(count: int) -> str:
    """Bytes for a person.

    >>> _size(1_234), _size(2_500_000), _size(3_200_000_000)
    ('1.2 kB', '2.5 MB', '3.2 GB')
    """
    unit, name = next(((unit, name) for unit, name in _UNITS if count >= unit), _UNITS[-1])
    return f"{count / unit:,.1f} {name}"
