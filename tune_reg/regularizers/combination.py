"""Several regularizers as one: AdaDecay and dropout, say, or a penalty and weight decay."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from search_spaces import SearchSpace, Value
from tune_reg.errors import TuneRegError
from tune_reg.regularizers.base import Progress, Regularizer, Strengths

#: Hooks that only one part can fill.
_ALONE: Final = ("loss", "sparsity", "dropout", "ascend")


class Combination(Regularizer):
    """Several regularizers as one, made by ``combine``: each hook calls the hooks of the parts, one after the other."""

    parts: ClassVar[tuple[type[Regularizer], ...]]
    #: For each part: the part's name of a hyperparameter -> the combination's name of it.
    names: ClassVar[tuple[dict[str, str], ...]]

    def __init__(self, **choices: str | int) -> None:
        super().__init__(**choices)
        self._parts = [
            part(**{name: self.choices[renamed] for name, renamed in names.items() if renamed in self.choices})
            for part, names in zip(self.parts, self.names, strict=True)
        ]

    @classmethod
    def fills(cls, hook: str) -> bool:
        """Whether a part fills ``hook``."""
        return any(part.fills(hook) for part in cls.parts)

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """The shape of one row of numbers, which holds the noise of all parts; None where no part wants noise."""
        total = sum(self._noise_sizes(hook, shape))
        return (total,) if total else None

    def memory_size(self, tensors: int) -> int:
        """The numbers that all parts hand on, one part's after the other's."""
        return sum(part.memory_size(tensors) for part in self._parts)

    def mix(
        self, inputs: Tensor, targets: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Images and targets after each part's ``mix``, in turn."""
        for part, of_part, share in self._filling("mix", strengths, inputs.shape, noise):
            inputs, targets = part.mix(inputs, targets, of_part, progress, share)
        return inputs, targets

    def inputs(self, inputs: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None) -> Tensor:
        """The images after each part's ``inputs``, in turn."""
        for part, of_part, share in self._filling("inputs", strengths, inputs.shape, noise):
            inputs = part.inputs(inputs, of_part, progress, share)
        return inputs

    def targets(self, targets: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The targets after each part's ``targets``, in turn."""
        for part, of_part, _ in self._filling("targets", strengths):
            targets = part.targets(targets, of_part, progress)
        return targets

    def loss(self, outputs: Tensor, targets: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The loss of the one part that has one."""
        ((part, of_part, _),) = self._filling("loss", strengths)
        return part.loss(outputs, targets, of_part, progress)

    def penalty(
        self,
        inputs: Tensor,
        outputs: Tensor,
        targets: Tensor,
        strengths: Strengths,
        progress: Progress,
        noise: Tensor | None,
    ) -> Tensor:
        """The sum of the parts' penalties."""
        filling = self._filling("penalty", strengths, outputs.shape, noise)
        return _sum(
            part.penalty(inputs, outputs, targets, of_part, progress, share) for part, of_part, share in filling
        )

    def lane_penalty_noise(self, noise: Tensor, shape: torch.Size) -> Tensor:
        """One row for all lanes: each part's share of the rows [K, n], laid out as that part takes it."""
        pieces, end = [], 0
        for part, wanted in zip(self._parts, self._noise_shapes("penalty", shape), strict=True):
            if wanted is not None:
                begin, end = end, end + math.prod(wanted)
                rows = noise[:, begin:end].view(len(noise), *wanted)
                pieces.append(part.lane_penalty_noise(rows, shape).flatten())
        return torch.cat(pieces)

    def weight_decay(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The sum of the parts' coefficients."""
        return _sum(
            part.weight_decay(of_part, progress) for part, of_part, _ in self._filling("weight_decay", strengths)
        )

    def gradient(
        self, gradient: Tensor, parameter: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> Tensor:
        """The gradient after each part's ``gradient``, in turn."""
        for part, of_part, share in self._filling("gradient", strengths, parameter.shape, noise):
            gradient = part.gradient(gradient, parameter, of_part, progress, share)
        return gradient

    def update(self, parameter: Tensor, gradient: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The parameter after each part's ``update``, in turn."""
        for part, of_part, _ in self._filling("update", strengths):
            parameter = part.update(parameter, gradient, of_part, progress)
        return parameter

    def ascend(
        self, parameters: Sequence[Tensor], gradients: Sequence[Tensor], strengths: Strengths, progress: Progress
    ) -> list[Tensor]:
        """The point of the one part that takes the gradient elsewhere."""
        ((part, of_part, _),) = self._filling("ascend", strengths)
        return part.ascend(parameters, gradients, of_part, progress)

    def gradients(
        self,
        gradients: Sequence[Tensor],
        parameters: Sequence[Tensor],
        memory: Tensor,
        strengths: Strengths,
        progress: Progress,
    ) -> tuple[list[Tensor], Tensor]:
        """All gradients after each part's ``gradients``, in turn, and the memory of all parts."""
        made = list(gradients)
        pieces = self._memories(memory, len(made))
        for i, part in enumerate(self._parts):
            if part.fills("gradients"):
                of_part = self._strengths_of(i, strengths)
                made, pieces[i] = part.gradients(made, parameters, pieces[i], of_part, progress)
        return made, torch.cat(pieces)

    def settle(
        self,
        before: Sequence[Tensor],
        after: Sequence[Tensor],
        memory: Tensor,
        strengths: Strengths,
        progress: Progress,
    ) -> tuple[list[Tensor], Tensor]:
        """All parameters after each part's ``settle``, in turn, and the memory of all parts."""
        made = list(after)
        pieces = self._memories(memory, len(made))
        for i, part in enumerate(self._parts):
            if part.fills("settle"):
                made, pieces[i] = part.settle(before, made, pieces[i], self._strengths_of(i, strengths), progress)
        return made, torch.cat(pieces)

    def sparsity(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The share of the one part that lets weights rest."""
        ((part, of_part, _),) = self._filling("sparsity", strengths)
        return part.sparsity(of_part, progress)

    def mask(self, parameter: Tensor, sparsity: float, source: torch.Generator) -> Tensor | None:
        """The mask of the one part that lets weights rest."""
        (part,) = (part for part in self._parts if part.fills("sparsity"))
        return part.mask(parameter, sparsity, source)

    def dropout(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The probability of the one part that drops units."""
        ((part, of_part, _),) = self._filling("dropout", strengths)
        return part.dropout(of_part, progress)

    def current_strength(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The strength of the first part."""
        return self._parts[0].current_strength(self._strengths_of(0, strengths), progress)

    def _strengths_of(self, i: int, strengths: Strengths) -> dict[str, Tensor]:
        """The strengths of part ``i`` under that part's own names."""
        return {name: strengths[renamed] for name, renamed in self.names[i].items() if renamed in strengths}

    def _memories(self, memory: Tensor, tensors: int) -> list[Tensor]:
        """Each part's share of the memory."""
        return list(torch.split(memory, [part.memory_size(tensors) for part in self._parts]))

    def _noise_shapes(self, hook: str, shape: torch.Size) -> list[tuple[int, ...] | None]:
        """The noise that each part wants for ``hook``."""
        return [part.noise_shape(hook, shape) if part.fills(hook) else None for part in self._parts]

    def _noise_sizes(self, hook: str, shape: torch.Size) -> list[int]:
        """The length of each part's share of the one row of noise."""
        return [0 if wanted is None else math.prod(wanted) for wanted in self._noise_shapes(hook, shape)]

    def _filling(
        self, hook: str, strengths: Strengths, shape: torch.Size | None = None, noise: Tensor | None = None
    ) -> Iterator[tuple[Regularizer, dict[str, Tensor], Tensor | None]]:
        """The parts that fill ``hook``, each with its strengths under its own names and its share of the noise."""
        ends = [0] * len(self._parts) if shape is None else list(accumulate(self._noise_sizes(hook, shape)))
        for i, part in enumerate(self._parts):
            if not part.fills(hook):
                continue
            wanted = None if shape is None else part.noise_shape(hook, shape)
            share = None
            if wanted is not None and noise is not None:
                share = noise[ends[i] - math.prod(wanted) : ends[i]].view(wanted)
            yield part, self._strengths_of(i, strengths), share


def parts_of(reg: Regularizer) -> tuple[Regularizer, ...]:
    """The regularizers that ``reg`` is made of: itself, where it is no combination."""
    return tuple(reg._parts) if isinstance(reg, Combination) else (reg,)


def parts_with_strengths(reg: Regularizer, strengths: Strengths) -> list[tuple[Regularizer, Strengths]]:
    """The regularizers that ``reg`` is made of, each with its strengths under its own names."""
    if not isinstance(reg, Combination):
        return [(reg, strengths)]
    return [(part, reg._strengths_of(i, strengths)) for i, part in enumerate(reg._parts)]


@functools.cache
def combine(parts: tuple[type[Regularizer], ...]) -> type[Combination]:
    """One regularizer made of several; ``TuneRegError`` where the parts do not go together.

    A hyperparameter keeps its name where no other part has one of that name; else it gets its part's name before it:
    ``weight_decay`` of adadecay beside weight-decay is ``adadecay_weight_decay``.
    """
    name = "+".join(part.name for part in parts)
    _refuse_conflicts(name, parts)
    counts = Counter(p.name for part in parts for p in part.hyperparameters)

    def renamed_in(part: type[Regularizer], name: str) -> str:
        return name if counts[name] == 1 else f"{part.name.replace('-', '_')}_{name}"

    names = tuple({p.name: renamed_in(part, p.name) for p in part.hyperparameters} for part in parts)
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
    """Raise ``TuneRegError`` where two parts want to be the only one."""
    if len(set(parts)) != len(parts):
        raise TuneRegError(f"{name}: a regularizer can stand in a combination once; leave one out")
    for hook in _ALONE:
        owners = [part.name for part in parts if part.fills(hook)]
        if len(owners) > 1:
            raise TuneRegError(f"{name}: {' and '.join(owners)} each bring their own {hook}; keep one of them")
    losses = [part.name for part in parts if part.fills("loss")]
    targets = [part.name for part in parts if part.fills("targets") or part.fills("mix")]
    if losses and targets:
        raise TuneRegError(f"{name}: {targets[0]} changes the targets of a loss that {losses[0]} replaces; keep one")


def _space(spaces: list[SearchSpace], names: tuple[dict[str, str], ...]) -> SearchSpace:
    """The parts' spaces as one, which starts where each part's space starts."""
    entries = {renamed[name]: space[name] for space, renamed in zip(spaces, names, strict=True) for name in space}
    start: dict[str, Value] = {}
    for space, renamed in zip(spaces, names, strict=True):
        if space.start:
            start |= {renamed[name]: value for name, value in space.start[0].items()}
    priors = {
        renamed[name]: prior
        for space, renamed in zip(spaces, names, strict=True)
        for name, prior in space.priors.items()
    }
    return SearchSpace(entries, start=[start] if start else [], priors=priors)


def _sum(terms: Iterator[Tensor]) -> Tensor:
    total: Callable[[Tensor, Tensor], Tensor] = torch.add
    return functools.reduce(total, terms)
