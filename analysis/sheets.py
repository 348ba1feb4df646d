"""The figures of the report, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from analysis.figures.attack import attack_strength, draw_attack_strength
from analysis.figures.fraction import data_fraction, draw_data_fraction
from analysis.figures.learning import draw_learning_curves, learning_curves
from analysis.figures.strength import draw_strength_response, strength_response
from analysis.figures.tuning import draw_tuning_curve, tuning_curve
from analysis.tables import Snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Sheet(NamedTuple):
    """One figure of the report: how its numbers are made and drawn, and what is said about it."""

    name: str  # of its files
    title: str
    caption: str
    compute: Callable[[Snapshot], Any]  # a NamedTuple whose last field is ``panels``
    draw: Callable[[Any], Figure]


_INTERVALS: Final = (
    "Points are means over confirmed runs, bars their 95 % intervals; lines are shifted sideways a little."
)

SHEETS: Final[tuple[Sheet, ...]] = (
    Sheet(
        "strength-response",
        "Strength against accuracy",
        "Every trial of the search. Filled: trained to the end; hollow: stopped early, at the accuracy it had then; "
        "ringed: the winner. Trials without an accuracy stand in the grey strip, whose height means nothing. Dotted "
        "lines are the bounds of the search space.",
        strength_response,
        draw_strength_response,
    ),
    Sheet("data-fraction", "Accuracy against data", _INTERVALS, data_fraction, draw_data_fraction),
    Sheet(
        "attack-strength",
        "Accuracy against attack strength",
        f"{_INTERVALS} Epsilon 0 is the clean test set.",
        attack_strength,
        draw_attack_strength,
    ),
    Sheet(
        "learning-curves",
        "Learning curves of the confirmed runs",
        "Line: mean over seeds; band: lowest to highest seed. Only runs that ended are drawn.",
        learning_curves,
        draw_learning_curves,
    ),
    Sheet(
        "tuning-curve",
        "What the search bought",
        "Best complete trial so far against the epochs that the search of each regularizer had spent, pruned and "
        "diverged trials included.",
        tuning_curve,
        draw_tuning_curve,
    ),
)
