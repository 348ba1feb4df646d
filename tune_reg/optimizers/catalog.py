"""The optimizers that a study can name: each with its description, its source and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import torch

from tune_reg.errors import StudyError, did_you_mean
from tune_reg.optimizers import lane_updates
from tune_reg.optimizers.accelerated_sgd import AcceleratedSGD
from tune_reg.optimizers.adagrad import AdaGrad
from tune_reg.optimizers.compiler import leave_out_compiler
from tune_reg.optimizers.entropy_sgd import LANGEVIN_STEPS, EntropySGD
from tune_reg.optimizers.lane_updates import LaneUpdate
from tune_reg.optimizers.per_parameter import Params
from tune_reg.references import bibtex


class Settings(NamedTuple):
    """What a study says about its optimizer; an optimizer ignores the settings that it does not have."""

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    generator: torch.Generator | None = None


class Entry(NamedTuple):
    """An optimizer that a study can name."""

    #: As in a study file.
    name: str
    #: One line for people.
    description: str
    build: Callable[[Params, Settings], torch.optim.Optimizer]
    #: The same optimizer for many networks side by side.
    lanes: LaneUpdate
    #: What a report calls the method where it cites it.
    method: str = ""
    #: The key of its publication in ``references.bib``; None: it is not cited.
    citation: str | None = None
    #: Gradient evaluations in one step, for the budget.
    evaluations_per_step: int = 1


# Weight decay is coupled in all of them: ``g + weight_decay w`` is the gradient.

SGD: Final = Entry(
    "sgd",
    "SGD with momentum",
    lambda params, s: torch.optim.SGD(params, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay, fused=True),
    lane_updates.SGD,
)
RMSPROP: Final = Entry(
    "rmsprop",
    "RMSprop (alpha 0.95)",
    # Torch has no fused form of it.
    lambda params, s: torch.optim.RMSprop(params, lr=s.lr, alpha=0.95, weight_decay=s.weight_decay),
    lane_updates.RMSPROP,
    method="RMSprop",
    citation="hinton2012rmsprop",
)
ADAM: Final = Entry(
    "adam",
    "Adam (0.9, 0.999)",
    lambda params, s: torch.optim.Adam(params, lr=s.lr, betas=(0.9, 0.999), weight_decay=s.weight_decay, fused=True),
    lane_updates.ADAM,
    method="Adam",
    citation="kingma2015adam",
)
ADAGRAD: Final = Entry(
    "adagrad",
    "AdaGrad",
    lambda params, s: AdaGrad(params, lr=s.lr, weight_decay=s.weight_decay, fused=True),
    lane_updates.ADAGRAD,
    method="AdaGrad",
    citation="duchi2011adaptive",
)
ACCELERATED_SGD: Final = Entry(
    "accelerated-sgd",
    "Accelerated-SGD (Kidambi et al. 2018)",
    lambda params, s: AcceleratedSGD(params, s.lr, weight_decay=s.weight_decay),
    lane_updates.ACCELERATED_SGD,
    method="Accelerated SGD",
    citation="kidambi2018insufficiency",
)
ENTROPY_SGD: Final = Entry(
    "entropy-sgd",
    "Entropy-SGD (Chaudhari et al. 2017)",
    lambda params, s: EntropySGD(params, s.lr, weight_decay=s.weight_decay, generator=s.generator),
    lane_updates.ENTROPY_SGD,
    method="Entropy-SGD",
    citation="chaudhari2017entropy",
    evaluations_per_step=LANGEVIN_STEPS,
)

#: All optimizers by name.
OPTIMIZERS: Final[dict[str, Entry]] = {
    entry.name: entry for entry in (SGD, RMSPROP, ADAM, ADAGRAD, ACCELERATED_SGD, ENTROPY_SGD)
}


def build(
    name: str,
    params: Params,
    *,
    lr: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    generator: torch.Generator | None = None,
) -> torch.optim.Optimizer:
    """The optimizer called ``name``, with the constants of its paper.

    ``momentum`` is used by "sgd" alone, ``generator`` by "entropy-sgd" alone, which is also the one whose ``step``
    needs a closure. A fused optimizer reads parameter and gradient by the parameter's strides: both must have the same.
    Raises StudyError for an unknown name.

    >>> build("adam", [torch.zeros(2, requires_grad=True)], lr=1e-3).defaults["betas"]
    (0.9, 0.999)
    """
    leave_out_compiler()
    return _entry(name).build(params, Settings(lr, momentum, weight_decay, generator))


def lane_update(name: str) -> LaneUpdate:
    """The optimizer ``name`` for many networks side by side.

    >>> lane_update("adam").kept
    ('exp_avg', 'exp_avg_sq')
    """
    return _entry(name).lanes


def evaluations_per_step(name: str) -> int:
    """How many gradients a step of the optimizer ``name`` evaluates.

    >>> evaluations_per_step("adam"), evaluations_per_step("entropy-sgd")
    (1, 5)
    """
    return _entry(name).evaluations_per_step


def citations(names: Iterable[str]) -> list[tuple[str, str]]:
    """What to cite for the optimizers ``names``, each once in the order given: the method's line and its BibTeX.

    Optimizers without a publication are left out. Raises StudyError for an unknown name.

    >>> [method for method, _ in citations(["adam", "sgd", "entropy-sgd", "adam"])]
    ['Adam (the optimizer)', 'Entropy-SGD (the optimizer)']
    """
    entries = [_entry(name) for name in dict.fromkeys(names)]
    return [(f"{entry.method} (the optimizer)", bibtex(entry.citation)) for entry in entries if entry.citation]


def _entry(name: str) -> Entry:
    if name not in OPTIMIZERS:
        raise StudyError(f"optimizer {name!r} is not known" + did_you_mean(name, OPTIMIZERS))
    return OPTIMIZERS[name]
