"""What a study found, read from its tables alone: statistics, figures, tables, and the reports made of them.

``snapshot`` reads the store as typed rows. ``statistics`` knows numbers alone. ``measures`` answers one question of a
study a file, ``formatting`` and ``wording`` put numbers in words, ``tables`` and ``figures`` say what is shown,
``exports`` writes it as HTML, Markdown, LaTeX, CSV and pictures, and ``report`` says what may be claimed.

Every function takes ``tune_reg.load(DIR)``, or a ``Snapshot`` of it, and returns numbers; ``draw_*`` turns the
numbers of a figure into a matplotlib ``Figure``. ``analysis`` imports neither torch nor ray nor optuna.

>>> import analysis
>>> "draw_tuning_curve" in analysis.__all__
True
"""

from analysis.figures.confirmed.class_accuracy import ClassAccuracy, class_accuracy, draw_class_accuracy
from analysis.figures.confirmed.data_fraction import (
    DataFraction,
    data_fraction,
    data_gain,
    draw_data_fraction,
    generalization_gap,
)
from analysis.figures.confirmed.learning import LearningCurves, draw_learning_curves, learning_curves
from analysis.figures.confirmed.paired_differences import (
    PairedDifferences,
    draw_paired_differences,
    head_to_head,
    paired_differences,
)
from analysis.figures.confirmed.schedules import Schedules, draw_schedules, schedules
from analysis.figures.robustness.attack import AttackStrength, attack_strength, draw_attack_strength
from analysis.figures.robustness.corruption import CorruptionSeverity, corruption_severity, draw_corruption_severity
from analysis.figures.robustness.robust_strength import RobustStrength, draw_robust_strength, robust_strength
from analysis.figures.robustness.tradeoff import TradeOff, draw_trade_off, trade_off
from analysis.figures.search.best_strength import BestStrength, best_strength, draw_best_strength
from analysis.figures.search.importance import (
    ImportanceFigure,
    draw_hyperparameter_importance,
    hyperparameter_importance,
)
from analysis.figures.search.objectives import Objectives, draw_objectives, objectives
from analysis.figures.search.pairs import PairMaps, draw_pair_maps, pair_maps
from analysis.figures.search.strength import StrengthResponse, draw_strength_response, strength_response
from analysis.figures.search.tuning import TuningCurve, draw_tuning_curve, tuning_curve
from analysis.measures.attacks import WarningRow, areas, distances, warnings
from analysis.measures.budget import BudgetRow, budget
from analysis.measures.class_accuracy import ClassDifference, class_differences
from analysis.measures.comparisons import Compared, comparisons
from analysis.measures.corruptions import CorruptionRow, corruption_cells, corruption_rows
from analysis.measures.data_equivalence import Equivalence, equivalences
from analysis.measures.papers import PaperRow, paper_rows
from analysis.measures.results import ResultRow, result_table
from analysis.measures.search.importance import Importance, importances
from analysis.measures.search.picks import Pick, picks, regret_of
from analysis.measures.search.response import Optimum, Response, responses
from analysis.measures.search.tuning import TuningPoint, equal_budgets, tuning_points
from analysis.measures.tradeoff import Trade, trades
from analysis.report.claims import Claim, claims
from analysis.report.given_up import given_up
from analysis.report.missing import lost_sentences, missing
from analysis.report.reproduction.write import report_reproduction
from analysis.report.studies.compare import compare
from analysis.report.verdict import Verdict, verdict
from analysis.report.write import report
from analysis.snapshot import Snapshot
from analysis.statistics import (
    Comparison,
    Effect,
    Estimate,
    effect,
    holm,
    mean_interval,
    paired_difference,
    pairs_needed,
)
from analysis.tables.results import HEADINGS, TextRow, result_headings, result_rows
from tune_reg.decisions import MethodDecision, decisions

__all__ = [
    "HEADINGS",
    "AttackStrength",
    "BestStrength",
    "BudgetRow",
    "Claim",
    "ClassAccuracy",
    "ClassDifference",
    "Compared",
    "Comparison",
    "CorruptionRow",
    "CorruptionSeverity",
    "DataFraction",
    "Effect",
    "Equivalence",
    "Estimate",
    "Importance",
    "ImportanceFigure",
    "LearningCurves",
    "MethodDecision",
    "Objectives",
    "Optimum",
    "PairMaps",
    "PairedDifferences",
    "PaperRow",
    "Pick",
    "Response",
    "ResultRow",
    "RobustStrength",
    "Schedules",
    "Snapshot",
    "StrengthResponse",
    "TextRow",
    "Trade",
    "TradeOff",
    "TuningCurve",
    "TuningPoint",
    "Verdict",
    "WarningRow",
    "areas",
    "attack_strength",
    "best_strength",
    "budget",
    "claims",
    "class_accuracy",
    "class_differences",
    "compare",
    "comparisons",
    "corruption_cells",
    "corruption_rows",
    "corruption_severity",
    "data_fraction",
    "data_gain",
    "decisions",
    "distances",
    "draw_attack_strength",
    "draw_best_strength",
    "draw_class_accuracy",
    "draw_corruption_severity",
    "draw_data_fraction",
    "draw_hyperparameter_importance",
    "draw_learning_curves",
    "draw_objectives",
    "draw_pair_maps",
    "draw_paired_differences",
    "draw_robust_strength",
    "draw_schedules",
    "draw_strength_response",
    "draw_trade_off",
    "draw_tuning_curve",
    "effect",
    "equal_budgets",
    "equivalences",
    "generalization_gap",
    "given_up",
    "head_to_head",
    "holm",
    "hyperparameter_importance",
    "importances",
    "learning_curves",
    "lost_sentences",
    "mean_interval",
    "missing",
    "objectives",
    "pair_maps",
    "paired_difference",
    "paired_differences",
    "pairs_needed",
    "paper_rows",
    "picks",
    "regret_of",
    "report",
    "report_reproduction",
    "responses",
    "result_headings",
    "result_rows",
    "result_table",
    "robust_strength",
    "schedules",
    "strength_response",
    "trade_off",
    "trades",
    "tuning_curve",
    "tuning_points",
    "verdict",
    "warnings",
]
