"""The store: what a study leaves behind, as Parquet tables and JSON beside them.

A directory DIR, or a folder of an object store, holds ``study.toml``, ``provenance.json``, ``search.journal``,
``checkpoints/``, ``report/`` and ``tables/{trials,expected,epochs,final,robustness,decisions}/*.parquet``. A part is
one finished run, named by its key, so that writing it twice leaves it once. Every file is whole or absent.
"""

from tune_reg.store.metric import ACCURACY, GOALS, Goal, Metric, metric_of
from tune_reg.store.reader import Results, load
from tune_reg.store.schema import (
    SCHEMA_VERSION,
    SCHEMAS,
    TABLES,
    Decision,
    DecisionRow,
    EpochRow,
    EpochValues,
    ExpectedRow,
    FinalRow,
    FinalValues,
    Params,
    RobustnessRow,
    RobustnessValues,
    RunState,
    Stage,
    TableName,
    TrialRow,
)
from tune_reg.store.winner import Candidate, pick, second_value, winner
from tune_reg.store.writer import Store

__all__ = [
    "ACCURACY",
    "GOALS",
    "SCHEMAS",
    "SCHEMA_VERSION",
    "TABLES",
    "Candidate",
    "Decision",
    "DecisionRow",
    "EpochRow",
    "EpochValues",
    "ExpectedRow",
    "FinalRow",
    "FinalValues",
    "Goal",
    "Metric",
    "Params",
    "Results",
    "RobustnessRow",
    "RobustnessValues",
    "RunState",
    "Stage",
    "Store",
    "TableName",
    "TrialRow",
    "load",
    "metric_of",
    "pick",
    "second_value",
    "winner",
]
