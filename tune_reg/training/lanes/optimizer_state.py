"""The state of a lane's optimizer in the form of the optimizer of a single run, and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tune_reg.optimizers import build, lane_update
from tune_reg.training.settings import TrainingSettings


def optimizer_state(
    settings: TrainingSettings, kept: dict[int, dict[str, Tensor]], steps: int, *, begun: bool
) -> dict[str, Any]:
    """The ``state_dict`` of a single run's optimizer.

    ``kept``: what it keeps for each weight, by the parameter's index. ``begun``: whether any epoch is done.

    >>> kept = {0: {"square_avg": torch.ones(2)}}
    >>> optimizer_state(TrainingSettings(optimizer="rmsprop"), kept, 3, begun=True)["state"]
    {0: {'square_avg': tensor([1., 1.]), 'step': tensor(3.)}}
    """
    made = build(
        settings.optimizer,
        [torch.zeros(1) for _ in kept],
        lr=settings.learning_rate,
        momentum=settings.momentum,
        # Every epoch seeds it anew.
        generator=torch.Generator(),
    ).state_dict()
    for group in made["param_groups"]:
        if "step" in group:
            group["step"] = steps
    # Adagrad keeps something from the beginning, the others from their first step on, and sgd with momentum only.
    keeps = bool(made["state"]) or (begun and (settings.optimizer != "sgd" or settings.momentum > 0))
    counts = keeps and lane_update(settings.optimizer).counts
    state = {
        i: {**of_one, **({"step": torch.tensor(float(steps))} if counts else {})} for i, of_one in kept.items() if keeps
    }
    return {**made, "state": {i: of_one for i, of_one in state.items() if of_one}}


def counted_steps(state: dict[str, Any]) -> float | None:
    """How many steps the optimizer of a ``state_dict`` has done; None where the state does not count them.

    >>> counted_steps({"state": {0: {"step": torch.tensor(7.0)}}, "param_groups": [{}]})
    7.0
    """
    counts = [of_one["step"] for of_one in [*state["param_groups"], *state["state"].values()] if "step" in of_one]
    return float(counts[0]) if counts else None
