"""Several regularizers as one: AdaDecay and dropout, say, or a penalty and weight decay."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from search_spaces import SearchSpace, Value
from tune_reg.errors import TuneRegError
from tune_reg.regularizers.base import Progress, Regularizer, Strengths

#: Hooks that only one part can fill, and what to do about it.
_ALONE: Final = ("loss", "sparsity", "dropout")


class Combination(Regularizer):
    """What ``combine`` makes: each hook is that of the parts, one after the other."""

    parts: ClassVar[tuple[type[Regularizer], ...]]
    #: For each part, its own name of a hyperparameter -> the name here.
    names: ClassVar[tuple[dict[str, str], ...]]

    def __init__(self, **choices: str | int) -> None:
        super().__init__(**choices)
        self._parts = [
            part(**{own: self.choices[here] for own, here in names.items() if here in self.choices})
            for part, names in zip(self.parts, self.names, strict=True)
        ]

    @classmethod
    def fills(cls, hook: str) -> bool:
        """Whether a part fills ``hook``."""
        return any(part.fills(hook) for part in cls.parts)

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """One row of numbers for all parts that want some."""
        total = sum(self._noise_sizes(hook, shape))
        return (total,) if total else None

    def inputs(self, inputs: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None) -> Tensor:
        """Each part's, in turn."""
        for part, own, share in self._filling("inputs", strengths, inputs.shape, noise):
            inputs = part.inputs(inputs, own, progress, share)
        return inputs

    def targets(self, targets: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """Each part's, in turn."""
        for part, own, _ in self._filling("targets", strengths):
            targets = part.targets(targets, own, progress)
        return targets

    def loss(self, outputs: Tensor, targets: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """That of the one part that has a loss."""
        ((part, own, _),) = self._filling("loss", strengths)
        return part.loss(outputs, targets, own, progress)

    def penalty(
        self,
        inputs: Tensor,
        outputs: Tensor,
        targets: Tensor,
        strengths: Strengths,
        progress: Progress,
        noise: Tensor | None,
    ) -> Tensor:
        """The sum of the parts'."""
        filling = self._filling("penalty", strengths, outputs.shape, noise)
        return _sum(part.penalty(inputs, outputs, targets, own, progress, share) for part, own, share in filling)

    def weight_decay(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The sum of the parts'."""
        return _sum(part.weight_decay(own, progress) for part, own, _ in self._filling("weight_decay", strengths))

    def gradient(
        self, gradient: Tensor, parameter: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> Tensor:
        """Each part's, in turn."""
        for part, own, share in self._filling("gradient", strengths, parameter.shape, noise):
            gradient = part.gradient(gradient, parameter, own, progress, share)
        return gradient

    def update(self, parameter: Tensor, gradient: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """Each part's, in turn."""
        for part, own, _ in self._filling("update", strengths):
            parameter = part.update(parameter, gradient, own, progress)
        return parameter

    def sparsity(self, strengths: Strengths, progress: Progress) -> Tensor:
        """That of the one part that has it."""
        ((part, own, _),) = self._filling("sparsity", strengths)
        return part.sparsity(own, progress)

    def dropout(self, strengths: Strengths, progress: Progress) -> Tensor:
        """That of the one part that has it."""
        ((part, own, _),) = self._filling("dropout", strengths)
        return part.dropout(own, progress)

    def current_strength(self, strengths: Strengths, progress: Progress) -> Tensor:
        """That of the first part."""
        return self._parts[0].current_strength(self._own(0, strengths), progress)

    def noise_shares(self, hook: str, shape: torch.Size) -> list[tuple[Regularizer, tuple[int, ...]]]:
        """The parts that want noise for ``hook``, in the order of their shares of the row, and the shape of each."""
        wanted = [(part, part.noise_shape(hook, shape)) for part in self._parts if part.fills(hook)]
        return [(part, own) for part, own in wanted if own is not None]

    def _own(self, i: int, strengths: Strengths) -> dict[str, Tensor]:
        return {own: strengths[here] for own, here in self.names[i].items() if here in strengths}

    def _noise_sizes(self, hook: str, shape: torch.Size) -> list[int]:
        shapes = [part.noise_shape(hook, shape) if part.fills(hook) else None for part in self._parts]
        return [0 if own is None else math.prod(own) for own in shapes]

    def _filling(
        self, hook: str, strengths: Strengths, shape: torch.Size | None = None, noise: Tensor | None = None
    ) -> Iterator[tuple[Regularizer, dict[str, Tensor], Tensor | None]]:
        """The parts that fill ``hook``, each with its own strengths and its own share of the noise."""
        ends = [0] * len(self._parts) if shape is None else list(accumulate(self._noise_sizes(hook, shape)))
        for i, part in enumerate(self._parts):
            if not part.fills(hook):
                continue
            wanted = None if shape is None else part.noise_shape(hook, shape)
            share = None
            if wanted is not None and noise is not None:
                share = noise[ends[i] - math.prod(wanted) : ends[i]].view(wanted)
            yield part, self._own(i, strengths), share


@functools.cache
def combine(parts: tuple[type[Regularizer], ...]) -> type[Combination]:
    """One regularizer of several. ``TuneRegError`` where they do not go together.

    A hyperparameter keeps its name where no other part has one of that name; else it gets its part's name before it:
    ``weight_decay`` of adadecay beside weight-decay is ``adadecay_weight_decay``.
    """
    name = "+".join(part.name for part in parts)
    _refuse_conflicts(name, parts)
    counts = Counter(p.name for part in parts for p in part.hyperparameters)

    def here(part: type[Regularizer], own: str) -> str:
        return own if counts[own] == 1 else f"{part.name.replace('-', '_')}_{own}"

    names = tuple({p.name: here(part, p.name) for p in part.hyperparameters} for part in parts)
    body: dict[str, Any] = {
        "name": name,
        "formula": "; ".join(part.formula for part in parts),
        "reference": "\n\n".join(dict.fromkeys(part.reference for part in parts)),
        "hyperparameters": tuple(
            replace(p, name=renamed[p.name])
            for part, renamed in zip(parts, names, strict=True)
            for p in part.hyperparameters
        ),
        "strength": names[0].get(parts[0].strength, ""),
        "space": _space([part.space for part in parts], names),
        "parts": parts,
        "names": names,
        "__doc__": f"{name} as one regularizer.",
    }
    title = "".join(part.__name__.removesuffix("Regularizer") for part in parts)
    return type(title, (Combination,), body)


def _refuse_conflicts(name: str, parts: tuple[type[Regularizer], ...]) -> None:
    if len(set(parts)) != len(parts):
        raise TuneRegError(f"{name}: a regularizer can stand in a combination once; leave one out")
    for hook in _ALONE:
        owners = [part.name for part in parts if part.fills(hook)]
        if len(owners) > 1:
            raise TuneRegError(f"{name}: {' and '.join(owners)} each bring their own {hook}; keep one of them")
    losses = [part.name for part in parts if part.fills("loss")]
    targets = [part.name for part in parts if part.fills("targets")]
    if losses and targets:
        raise TuneRegError(f"{name}: {targets[0]} changes the targets of a loss that {losses[0]} replaces; keep one")


def _space(spaces: list[SearchSpace], names: tuple[dict[str, str], ...]) -> SearchSpace:
    entries = {renamed[own]: space[own] for space, renamed in zip(spaces, names, strict=True) for own in space}
    start: dict[str, Value] = {}
    for space, renamed in zip(spaces, names, strict=True):
        if space.start:
            start |= {renamed[own]: value for own, value in space.start[0].items()}
    return SearchSpace(entries, start=[start] if start else [])


def _sum(terms: Iterator[Tensor]) -> Tensor:
    total: Callable[[Tensor, Tensor], Tensor] = torch.add
    return functools.reduce(total, terms)
