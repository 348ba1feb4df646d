"""How long weight decay lets the weights remember: its timescale in epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from analysis.snapshot import mapping
from analysis.statistics.publications import Publication

#: What a report cites where it gives a timescale.
TIMESCALE: Final = Publication("timescale of weight decay", "wang2024how")

#: What a caption says of it.
TIMESCALE_TEXT: Final = (
    " Timescale: 1 / (learning rate × weight decay × steps an epoch), the epochs over which weight decay forgets, at "
    "the first learning rate (Wang and Aitchison 2024)."
)


def timescale_epochs(weight_decay: float, learning_rate: float, steps_per_epoch: int) -> float:
    """The timescale of weight decay in epochs: ``1 / (learning_rate * weight_decay * steps_per_epoch)``.

    With decoupled decay each step keeps the share ``1 - learning_rate * weight_decay`` of the weights, so they are a
    moving average of the updates of about that many epochs. The best timescale is expected to stay where it is while
    the amount of data changes, and the best weight decay to move as one over it. Coupled decay under momentum ``m``
    forgets ``1 / (1 - m)`` times as fast. Infinite without decay.

    Source: Wang and Aitchison 2024, arXiv 2405.13698, section 3.

    >>> round(timescale_epochs(0.1, 1e-3, 500), 1)
    20.0
    """
    forgotten = learning_rate * weight_decay * steps_per_epoch
    return 1 / forgotten if forgotten > 0 else math.inf


def timescale_of(study: Mapping[str, Any], params: Mapping[str, Any], n_train: int | None) -> float | None:
    """The timescale of a run of ``study`` with the hyperparameters ``params``, at its first learning rate and batch.

    None where the run has no weight decay, or the size of its training set, its learning rate or batch is not known.
    ``n_train``: images of its training set.
    """
    training = mapping(study.get("training"))
    decay, rate, batch = (
        _positive(params.get(name, training.get(name))) for name in ("weight_decay", "learning_rate", "batch_size")
    )
    if decay is None or rate is None or batch is None or n_train is None:
        return None
    return timescale_epochs(decay, rate, math.ceil(n_train / batch))


def _positive(value: object) -> float | None:
    """A number above zero; None where ``value`` is none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
        return float(value)
    return None
