"""The figures of the report, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from analysis.figures.attack import attack_strength, draw_attack_strength
from analysis.figures.best_strength import best_strength, draw_best_strength
from analysis.figures.corruption import corruption_severity, draw_corruption_severity
from analysis.figures.fraction import data_fraction, data_gain, draw_data_fraction, generalization_gap
from analysis.figures.importance import draw_hyperparameter_importance, hyperparameter_importance
from analysis.figures.learning import draw_learning_curves, learning_curves
from analysis.figures.objectives import draw_objectives, objectives
from analysis.figures.pairs import draw_pair_maps, pair_maps
from analysis.figures.robust_strength import draw_robust_strength, robust_strength
from analysis.figures.schedules import draw_schedules, schedules
from analysis.figures.strength import draw_strength_response, strength_response
from analysis.figures.tradeoff import draw_trade_off, trade_off
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
        "Strength and other hyperparameters against accuracy",
        "Every trial of the search, at most 300 of a kind. Filled: trained to the end; hollow: stopped early, at "
        "the accuracy it had then; ringed: the winner; triangles on the axis lie below it. Trials without an "
        "accuracy stand in the grey strip, whose height means nothing. Dotted lines are the bounds of the search "
        "space. Line and band: a penalised spline through the trials trained to the end, and its 95 % band; thick "
        "bar: the plateau within one standard error of its best. The other hyperparameters vary along with the one "
        "shown.",
        strength_response,
        draw_strength_response,
    ),
    Sheet(
        "pair-maps",
        "Two hyperparameters at once",
        "The strength and each other numeric hyperparameter, at the largest fraction searched. Trials trained to the "
        "end in classes by rank: the better, the larger the marker.",
        pair_maps,
        draw_pair_maps,
    ),
    Sheet(
        "objectives",
        "The two objectives of the search",
        "Every trial trained to the end, at most 300 off the front. Filled and joined: no other trial is as good in "
        "both and better in one. Ringed: the winner, the best in the second objective among those within one standard "
        "error of the highest validation accuracy.",
        objectives,
        draw_objectives,
    ),
    Sheet(
        "importance",
        "Which hyperparameters mattered",
        "PED-ANOVA: how far the best quarter of the complete trials differs from all of them. Bars are 95 % intervals "
        "over resampled trials. Searches with fewer than 20 complete trials are left out. At the largest fraction "
        "searched; the others stand in the table.",
        hyperparameter_importance,
        draw_hyperparameter_importance,
    ),
    Sheet("data-fraction", "Accuracy against data", _INTERVALS, data_fraction, draw_data_fraction),
    Sheet(
        "data-gain",
        "Gain over the baseline against data",
        "Mean difference over runs of the same seed, bars its 95 % interval; lines are shifted sideways a little. "
        "Whether a gain may be claimed stands in the table of comparisons.",
        data_gain,
        draw_data_fraction,
    ),
    Sheet(
        "generalization-gap",
        "Generalization gap against data",
        f"Training accuracy minus test accuracy. {_INTERVALS}",
        generalization_gap,
        draw_data_fraction,
    ),
    Sheet(
        "best-strength",
        "Does the best strength move with the data?",
        "Ring: the winner of the search at each size. Square: where the fitted curve is highest, with its 95 % "
        "interval over resampled trials; thick bar: its plateau. Dotted: the value carried over from the most data.",
        best_strength,
        draw_best_strength,
    ),
    Sheet(
        "attack-strength",
        "Accuracy against attack strength",
        f"{_INTERVALS} At the largest fraction. Epsilon 0 is the clean test set. Squares: a check of the attack "
        "against itself warned, so that the accuracy may be too high.",
        attack_strength,
        draw_attack_strength,
    ),
    Sheet(
        "trade-off",
        "Clean against robust accuracy",
        "At the largest fraction; means over runs with 95 % intervals. Filled: no other regularizer is as "
        "good in both and better in one.",
        trade_off,
        draw_trade_off,
    ),
    Sheet(
        "robust-strength",
        "What turning the strength up buys and costs",
        "Confirmed runs of the methods that are one regularizer at several fixed strengths.",
        robust_strength,
        draw_robust_strength,
    ),
    Sheet(
        "corruption-severity",
        "Accuracy under corruptions",
        f"{_INTERVALS} At the largest fraction.",
        corruption_severity,
        draw_corruption_severity,
    ),
    Sheet(
        "learning-curves",
        "Learning curves of the confirmed runs",
        "Line: mean over seeds; band: lowest to highest seed. Only runs that ended are drawn.",
        learning_curves,
        draw_learning_curves,
    ),
    Sheet(
        "schedules",
        "Schedules of the winners",
        "Of the confirmed runs at the largest fraction. Strengths have units of their own, so each is drawn as a "
        "share of its largest value, which the legend names.",
        schedules,
        draw_schedules,
    ),
    Sheet(
        "tuning-curve",
        "What the search bought",
        "Best complete trial so far against the epochs that the search of each regularizer had spent, pruned and "
        "diverged trials included. Band: the middle 95 % with the trials drawn in random order, with replacement.",
        tuning_curve,
        draw_tuning_curve,
    ),
)
