"""What a study found, read from its tables alone: statistics, figures, tables, and the reports made of them.

Every function takes ``tune_reg.load(DIR)``, or a ``Snapshot`` of it, and returns numbers; ``draw_*`` turns the
numbers of a figure into a matplotlib ``Figure``. Nothing here imports torch, ray or optuna.

>>> import analysis
>>> sorted(name for name in analysis.__all__ if name.startswith("draw_"))
['draw_attack_strength', 'draw_data_fraction', 'draw_learning_curves', 'draw_strength_response', 'draw_tuning_curve']
"""

from analysis.budget import BudgetRow, budget
from analysis.claims import Claim, claims
from analysis.compare import compare
from analysis.figures.attack import AttackStrength, attack_strength, draw_attack_strength
from analysis.figures.fraction import DataFraction, data_fraction, draw_data_fraction
from analysis.figures.learning import LearningCurves, draw_learning_curves, learning_curves
from analysis.figures.strength import StrengthResponse, draw_strength_response, strength_response
from analysis.figures.tuning import TuningCurve, draw_tuning_curve, tuning_curve
from analysis.missing import missing
from analysis.report import report
from analysis.results import ResultRow, result_table
from analysis.statistics import Comparison, Estimate, holm, mean_interval, paired_difference
from analysis.tables import Snapshot
from analysis.text import HEADINGS, TextRow, result_rows

__all__ = [
    "HEADINGS",
    "AttackStrength",
    "BudgetRow",
    "Claim",
    "Comparison",
    "DataFraction",
    "Estimate",
    "LearningCurves",
    "ResultRow",
    "Snapshot",
    "StrengthResponse",
    "TextRow",
    "TuningCurve",
    "attack_strength",
    "budget",
    "claims",
    "compare",
    "data_fraction",
    "draw_attack_strength",
    "draw_data_fraction",
    "draw_learning_curves",
    "draw_strength_response",
    "draw_tuning_curve",
    "holm",
    "learning_curves",
    "mean_interval",
    "missing",
    "paired_difference",
    "report",
    "result_rows",
    "result_table",
    "strength_response",
    "tuning_curve",
]
