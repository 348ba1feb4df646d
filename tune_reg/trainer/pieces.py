"""The pieces of a training step that are made from a run's regularizer, as the engine makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from tune_reg.errors import StudyError
from tune_reg.optimizers import build as build_optimizer
from tune_reg.optimizers.per_parameter import Params
from tune_reg.regularizers import Progress
from tune_reg.training.step import data_loss, draw_noise, regularize, rest_momentum
from tune_reg.training.training_plan import EpochSettings, TrainingPlan

#: The pieces that carry each hook of a regularizer into a training loop; one of them is enough.
CARRIED_BY: Final = {
    "loss": ("loss",),
    "targets": ("loss",),
    "penalty": ("penalty",),
    "inputs": ("inputs",),
    "dropout": ("dropout",),
    "weight_decay": ("optimizer", "weight_decay"),
    "gradient": ("optimizer",),
    "update": ("optimizer",),
    "sparsity": ("optimizer",),
}


class Pieces:
    """Loss, penalty, noise and optimizer of a run, at the epoch and step where its training stands.

    ``on_step``: called after each optimizer step.
    """

    def __init__(self, plan: TrainingPlan, device: torch.device, on_step: Callable[[], None]) -> None:
        self.plan = plan
        self.reg = plan.regularizer
        self._device = device
        self._on_step = on_step
        #: Names of the pieces that were used, see ``CARRIED_BY``.
        self.used: set[str] = set()
        self._optimizer: torch.optim.Optimizer | None = None
        self._parameters: list[Tensor] = []
        self._optimizer_noise = torch.Generator()
        self._masks: dict[int, Tensor] | None = None
        self.enter(0)

    def enter(self, epoch: int) -> None:
        """Stand at the beginning of an epoch, which is counted from 0; after the last one, at its end."""
        self.epoch = min(epoch, self.plan.settings.epochs - 1)
        self.step_number = 0
        self.settings: EpochSettings = self.plan.epoch_settings(self.epoch)
        self._streams = self.plan.streams(self.epoch)
        self._optimizer_noise.manual_seed(self.plan.optimizer_seed(self.epoch))
        self._masks = None  # drawn at the first step, when there is an optimizer
        self.strengths = self.plan.strengths(self._at_step(0))
        self.progress = self._at_step(0)

    def step(self) -> None:
        """Stand at the next optimizer step of the epoch; a loop of more steps than were planned stays at the last."""
        self.step_number = min(self.step_number + 1, self.plan.steps(self.epoch) - 1)
        self.progress = self._at_step(self.step_number)
        self._on_step()

    @property
    def has_optimizer(self) -> bool:
        """Whether an optimizer was made, which counts the steps."""
        return self._optimizer is not None

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch."""
        self.used.add("loss")
        if targets.is_floating_point():
            if self.reg.fills("loss") or self.reg.fills("targets"):
                raise StudyError(
                    f"run.loss: {self.plan.run.regularizer} is of classes, so targets must be int64 [B], but got "
                    f"{str(targets.dtype).removeprefix('torch.')}; leave it out of a regression"
                )
            return nn.functional.mse_loss(outputs, targets)
        loss = self.plan.settings.loss
        return data_loss(self.reg, loss, outputs, targets, None, self.strengths, self.progress)

    def penalty(self, model: Callable[..., Tensor], inputs: Tensor, targets: Tensor, outputs: Tensor | None) -> Tensor:
        """The term that is added to the loss."""
        self.used.add("penalty")
        if not self.reg.fills("penalty"):
            return torch.zeros((), device=inputs.device)
        if outputs is None:
            inputs = inputs.detach().requires_grad_()
            outputs = model(inputs)
        elif not inputs.requires_grad:
            raise StudyError(
                "run.penalty: outputs must be of inputs that require gradients; take inputs = run.inputs(inputs) "
                "before the model, or leave outputs out"
            )
        noise = self._noise("penalty", outputs)
        return self.reg.penalty(inputs, outputs, targets, self.strengths, self.progress, noise)

    def inputs(self, inputs: Tensor) -> Tensor:
        """The inputs as the network is to get them."""
        self.used.add("inputs")
        if not (self.reg.fills("inputs") or self.reg.fills("penalty")):
            return inputs
        if not inputs.is_floating_point():
            raise StudyError(
                f"run.inputs: {self.plan.run.regularizer} acts on numbers, but got "
                f"{str(inputs.dtype).removeprefix('torch.')}; give floats, such as embeddings"
            )
        if self.reg.fills("inputs"):
            inputs = self.reg.inputs(inputs, self.strengths, self.progress, self._noise("inputs", inputs))
        return inputs.detach().requires_grad_() if self.reg.fills("penalty") else inputs

    def optimizer(self, parameters: Params) -> torch.optim.Optimizer:
        """The study's optimizer, which sets its own learning rate and decay and applies the regularizer."""
        settings = self.plan.settings
        groups: Any = list(parameters)
        given = [set(group) if isinstance(group, dict) else set() for group in groups]  # torch fills them up
        optimizer = build_optimizer(
            settings.optimizer,
            groups,
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=0.0,
            generator=self._optimizer_noise,
        )
        self._own_settings = given if any(given) else [set()]
        self._optimizer = optimizer
        self._parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        self._masks = None
        optimizer.register_step_pre_hook(self._before_step)
        optimizer.register_step_post_hook(self._after_step)
        return optimizer

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, keywords: Any) -> Any:
        """Set the optimizer's numbers, and regularize the gradients: now, or whenever its closure has made them."""
        if optimizer is not self._optimizer:
            return None
        self.used.add("optimizer")
        if self._masks is None:
            self._masks = self.plan.masks(self.epoch, self._parameters)
            rest_momentum(optimizer, self._parameters, self._masks)
        for group, own in zip(optimizer.param_groups, self._own_settings, strict=True):
            if "lr" not in own:
                group["lr"] = self.settings.learning_rate
            if "weight_decay" not in own:
                # Where weights are masked, decay must be masked with the gradient.
                group["weight_decay"] = 0.0 if self._masks else self.settings.weight_decay
        closure = keywords.get("closure", args[1] if len(args) > 1 else None)
        if closure is None:
            self._regularize()
            return None

        def regularized() -> Any:
            loss = closure()
            self._regularize()
            return loss

        return (args[0], regularized), {}

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, keywords: Any) -> None:
        del args, keywords
        if optimizer is self._optimizer:
            self.step()

    def _regularize(self) -> None:
        regularize(
            self.reg,
            self._parameters,
            self.strengths,
            self.progress,
            lambda gradient: self._noise("gradient", gradient),
            self._masks or {},
            self.settings.weight_decay if self._masks else None,
        )

    def _noise(self, hook: str, like: Tensor) -> Tensor | None:
        noise = draw_noise(self.reg, hook, like.shape, self._streams[hook], like.dtype)
        return None if noise is None else noise.to(like.device)

    def _at_step(self, step: int) -> Progress:
        return self.plan.progress(self.epoch, step, torch.float32, self._device)
