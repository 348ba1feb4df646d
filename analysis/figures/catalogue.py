"""The figures of the report, in their order."""

from __future__ import annotations

from typing import Final

from analysis.figures.confirmed.class_accuracy import CLASS_FIGURE
from analysis.figures.confirmed.data_fraction import DATA_FIGURE, GAIN_FIGURE, GAP_FIGURE
from analysis.figures.confirmed.learning import LEARNING_FIGURE
from analysis.figures.confirmed.paired_differences import HEAD_FIGURE, PAIRED_FIGURE
from analysis.figures.confirmed.schedules import SCHEDULE_FIGURE
from analysis.figures.robustness.attack import ATTACK_FIGURE
from analysis.figures.robustness.corruption import CORRUPTION_FIGURE
from analysis.figures.robustness.robust_strength import ROBUST_STRENGTH_FIGURE
from analysis.figures.robustness.tradeoff import TRADE_FIGURE
from analysis.figures.search.best_strength import BEST_STRENGTH_FIGURE
from analysis.figures.search.importance import IMPORTANCE_FIGURE
from analysis.figures.search.objectives import OBJECTIVES_FIGURE
from analysis.figures.search.pairs import PAIR_FIGURE
from analysis.figures.search.strength import STRENGTH_FIGURE
from analysis.figures.search.tuning import TUNING_FIGURE
from analysis.figures.spec import FigureSpec

#: A new figure is declared in a file of its own and gets its place here.
FIGURES: Final[tuple[FigureSpec, ...]] = (
    HEAD_FIGURE,
    STRENGTH_FIGURE,
    PAIR_FIGURE,
    OBJECTIVES_FIGURE,
    IMPORTANCE_FIGURE,
    DATA_FIGURE,
    GAIN_FIGURE,
    PAIRED_FIGURE,
    CLASS_FIGURE,
    GAP_FIGURE,
    BEST_STRENGTH_FIGURE,
    ATTACK_FIGURE,
    TRADE_FIGURE,
    ROBUST_STRENGTH_FIGURE,
    CORRUPTION_FIGURE,
    LEARNING_FIGURE,
    SCHEDULE_FIGURE,
    TUNING_FIGURE,
)
