"""The base class of regularizers: hooks into a training step, written as pure functions of tensors."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

import torch
from torch import Tensor

from search_spaces import SearchSpace
from tune_reg.regularizers.masks import is_maskable, random_mask

#: Hyperparameters that are numbers, by name, as 0-d tensors.
Strengths = Mapping[str, Tensor]

#: Hooks that change whole steps or mix examples: an engine calls them, a training loop of the user's own cannot.
ENGINE_HOOKS: Final = ("mix", "ascend", "gradients", "settle")


@dataclass(frozen=True)
class Hyperparameter:
    """One number or choice of a regularizer.

    ``low`` and ``high`` are hard bounds (both included), not a search range. ``off`` is the value at which the part of
    the regularizer that this hyperparameter controls does nothing; with all hyperparameters off, the regularizer does
    nothing.
    """

    name: str
    default: float | str
    description: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    off: float | str | None = None
    #: A whole number that shapes the computation (a count of probes, say): fixed within a run, like a choice.
    count: bool = False

    @property
    def is_choice(self) -> bool:
        """Whether the value is fixed when the regularizer is made, instead of reaching the hooks as a tensor."""
        return bool(self.choices) or self.count

    def violation(self, value: object) -> str | None:
        """The rule that ``value`` breaks as a sentence's end, or None for a legal value."""
        if self.choices:
            return None if value in self.choices else f"must be one of {', '.join(self.choices)}, but got {value!r}"
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            return f"must be a finite number, but got {value!r}"
        if self.count and value != int(value):
            return f"must be a whole number, but got {value!r}"
        if not self.low <= value <= self.high:
            return f"must lie in {self.bounds}, but got {value!r}"
        return None

    @property
    def bounds(self) -> str:
        """The hard bounds as text.

        >>> Hyperparameter("weight_decay", 5e-4, "lambda", low=0.0).bounds
        '[0, inf)'
        """
        left = f"[{self.low:g}" if math.isfinite(self.low) else "(-inf"
        right = f"{self.high:g}]" if math.isfinite(self.high) else "inf)"
        return f"{left}, {right}"


class Progress(NamedTuple):
    """How far a training has come, as 0-d tensors."""

    #: Share of the optimizer steps done, t / T, in [0, 1).
    step: Tensor
    #: e / (E - 1) for epoch e of 0 .. E - 1, so that the last epoch has exactly 1.
    epoch: Tensor
    #: The learning rate in use in this epoch.
    learning_rate: Tensor
    #: The learning rate in use as a share of the learning rate before its schedule.
    learning_rate_factor: Tensor


class Regularizer(ABC):
    """A way to regularize training: subclass ``Regularizer``, fill the hooks that are needed, ``register`` the class.

    Hyperparameters that are numbers reach each hook as 0-d tensors in ``strengths``; choices (text) and whole
    numbers are fixed when the object is made and stand in ``self.choices``. Hooks are pure functions of tensors:
    chance comes in as ``noise``, standard normal numbers of the shape that ``noise_shape`` asks for. So the same
    code also runs for many trials at once. A hook that a subclass does not define is not called.

    A training step calls ``mix``, ``inputs``, ``targets``, ``loss`` and ``penalty`` on a batch, ``ascend`` and
    ``gradients`` on all parameter tensors together, ``update`` and ``gradient`` on each of them, and ``settle`` on all
    of them after the optimizer; once an epoch it asks for ``weight_decay``, ``dropout`` and ``sparsity``.
    """

    #: The name in a study file and on the command line.
    name: ClassVar[str]
    #: The method in one line of mathematics.
    formula: ClassVar[str]
    #: When to use it, in a sentence or two: for its page in the documentation.
    when: ClassVar[str] = ""
    #: BibTeX of the publication that the method comes from.
    reference: ClassVar[str]
    hyperparameters: ClassVar[tuple[Hyperparameter, ...]]
    #: The name of the hyperparameter that says how strong the regularizer is.
    strength: ClassVar[str]
    #: The search space of a study that gives none.
    space: ClassVar[SearchSpace]
    #: The grid of the paper, where there is one.
    paper: ClassVar[SearchSpace | None] = None

    def __init__(self, **choices: str | int) -> None:
        fixed: dict[str, Any] = {p.name: p.default for p in self.hyperparameters if p.is_choice}
        self.choices: Final[dict[str, Any]] = {**fixed, **choices}

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """The shape of the noise that ``hook`` wants, or None for a hook without noise.

        ``shape``: of the images for "mix" and "inputs", of one parameter for "gradient", of the outputs for "penalty":
        [B, M], or [K, B, M] for many trials side by side.
        """
        del hook, shape
        return None

    def memory_size(self, tensors: int) -> int:
        """How many numbers ``gradients`` and ``settle`` hand on from step to step, for so many parameter tensors.

        All are 0 at the beginning of a training, and a part of its checkpoint.
        """
        del tensors
        return 0

    def mix(
        self, inputs: Tensor, targets: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Images [B, C, H, W] and one-hot targets [B, M], changed together, before ``inputs`` and ``targets``.

        Penalties get the labels as they were before.
        """
        raise NotImplementedError

    def inputs(self, inputs: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None) -> Tensor:
        """Images [B, C, H, W] in [0, 1] as the network gets them."""
        raise NotImplementedError

    def targets(self, targets: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """One-hot targets [B, M] as the study's loss gets them."""
        raise NotImplementedError

    def loss(self, outputs: Tensor, targets: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The loss in place of the study's: outputs [B, M], targets int64 [B] -> scalar."""
        raise NotImplementedError

    def penalty(
        self,
        inputs: Tensor,
        outputs: Tensor,
        targets: Tensor,
        strengths: Strengths,
        progress: Progress,
        noise: Tensor | None,
    ) -> Tensor:
        """The term added to the loss: inputs [B, C, H, W], outputs [B, M] of them, targets int64 [B] -> scalar.

        ``torch.autograd.grad(..., inputs, create_graph=True)`` gives gradients by the images. Many trials side by side
        call ``penalty`` once, with a leading axis of K lanes: inputs [K, B, C, H, W], outputs [K, B, M], targets
        [K, B], strengths [K] and noise as ``lane_penalty_noise`` lays it out -> [K], one penalty for each lane.
        """
        raise NotImplementedError

    def lane_penalty_noise(self, noise: Tensor, shape: torch.Size) -> Tensor:
        """The penalty's noise of K lanes in the layout that ``penalty`` takes for outputs [K, B, M].

        ``noise``: ``[K, *noise_shape("penalty", shape)]``, one row for each lane; ``shape``: [B, M], of the outputs of
        one lane. By default the axis of the lanes moves to just before the batch, where the outputs have it. The result
        has the shape ``noise_shape("penalty", [K, B, M])``.

        >>> from tune_reg.regularizers import regularizer
        >>> regularizer("fob")().lane_penalty_noise(torch.zeros(3, 1, 6, 10), torch.Size([6, 10])).shape
        torch.Size([1, 3, 6, 10])
        """
        return noise.movedim(0, noise.ndim - 1 - len(shape))

    def ascend(
        self, parameters: Sequence[Tensor], gradients: Sequence[Tensor], strengths: Strengths, progress: Progress
    ) -> list[Tensor]:
        """The point at which the gradient of the step is taken instead, from the gradients at ``parameters``.

        The step then takes the gradient of the batch twice, which the budget counts: see ``passes``. Both passes see
        the same images, noise and dropped units; the statistics of batch normalisation are those of the first. The
        tensors are those of the whole network, in the order of its parameters.
        """
        raise NotImplementedError

    def gradients(
        self,
        gradients: Sequence[Tensor],
        parameters: Sequence[Tensor],
        memory: Tensor,
        strengths: Strengths,
        progress: Progress,
    ) -> tuple[list[Tensor], Tensor]:
        """All gradients of the network before ``update`` and ``gradient``, and the memory after this step.

        For what depends on the network as a whole, a norm of all gradients for example. ``memory``: [memory_size].
        """
        raise NotImplementedError

    def settle(
        self,
        before: Sequence[Tensor],
        after: Sequence[Tensor],
        memory: Tensor,
        strengths: Strengths,
        progress: Progress,
    ) -> tuple[list[Tensor], Tensor]:
        """All parameters after the optimizer's step, and the memory after this step.

        ``before`` and ``after``: the parameters just before and just after the optimizer's step, whose difference is
        what the optimizer did. ``memory``: [memory_size].
        """
        raise NotImplementedError

    def weight_decay(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The coefficient lambda of coupled L2 decay, which the optimizer adds as ``lambda w``: scalar.

        Taken once an epoch.
        """
        raise NotImplementedError

    def gradient(
        self, gradient: Tensor, parameter: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> Tensor:
        """The gradient that the optimizer gets for one parameter tensor, before momentum."""
        raise NotImplementedError

    def update(self, parameter: Tensor, gradient: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """One parameter tensor before the optimizer's step, given the gradient of the data loss."""
        raise NotImplementedError

    def sparsity(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The share of the weights that get no update, in [0, 1): scalar.

        Taken once an epoch. ``mask`` decides which weights rest, anew when the share changes.
        """
        raise NotImplementedError

    def mask(self, parameter: Tensor, sparsity: float, source: torch.Generator) -> Tensor | None:
        """Which elements of a parameter learn (1) and which rest (0), or None for a parameter that learns as a whole.

        Called for each parameter tensor in every epoch in which ``sparsity``, the share of resting weights, is above 0.
        ``source``: random numbers that depend on the run, the parameter and the epoch in which the share last changed,
        so that a mask drawn from them stays until the share changes again. By default a random share of each tensor
        with more than one dimension rests. Returns a mask in the shape and dtype of ``parameter``.

        >>> from tune_reg.regularizers import regularizer
        >>> mask = regularizer("sparse-gradients")().mask(torch.zeros(4, 5), 0.3, torch.Generator())
        >>> float(mask.sum())
        14.0
        """
        return random_mask(parameter, sparsity, source) if is_maskable(parameter) else None

    def dropout(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The probability to drop a unit in the model's dropout layers, in [0, 1): scalar. Taken once an epoch."""
        raise NotImplementedError

    def current_strength(self, strengths: Strengths, progress: Progress) -> Tensor:
        """How strong the regularizer is at ``progress``, for the table of epochs: scalar."""
        del progress
        return strengths[self.strength]

    @classmethod
    def fills(cls, hook: str) -> bool:
        """Whether the class defines the hook of that name."""
        return getattr(cls, hook) is not getattr(Regularizer, hook)

    @classmethod
    def passes(cls) -> int:
        """How many times a step takes the gradient of its batch, for the budget.

        >>> from tune_reg.regularizers import regularizer
        >>> regularizer("weight-decay").passes(), regularizer("sam").passes()
        (1, 2)
        """
        return 2 if cls.fills("ascend") else 1

    @classmethod
    def hyperparameter(cls, name: str) -> Hyperparameter | None:
        """The hyperparameter of that name, or None."""
        return next((p for p in cls.hyperparameters if p.name == name), None)

    @classmethod
    def off(cls) -> dict[str, float | str]:
        """The values of all hyperparameters at which the regularizer does nothing."""
        return {p.name: p.default if p.off is None else p.off for p in cls.hyperparameters}


_REQUIRED: Final = ("name", "formula", "reference", "hyperparameters", "strength", "space")


def incomplete(regularizer: type[Regularizer]) -> str | None:
    """What a class lacks to be a regularizer, as a sentence's end, or None for a complete class."""
    missing = [attribute for attribute in _REQUIRED if not hasattr(regularizer, attribute)]
    if missing:
        return f"lacks {', '.join(missing)}"
    names = [p.name for p in regularizer.hyperparameters]
    if regularizer.strength not in names:
        return f"has strength {regularizer.strength!r}, which is none of its hyperparameters {names}"
    space: object = regularizer.space
    if not isinstance(space, SearchSpace):
        return f"has the space {space!r}, which must be a SearchSpace"
    unknown = sorted(set(regularizer.space) - set(names))
    if unknown:
        return f"has a space over {unknown}, which are none of its hyperparameters {names}"
    return None
