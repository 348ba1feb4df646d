"""The engines: from a run to its rows, with checkpoints in between."""

from tune_reg.training.engine import EpochRow, SerialEngine
from tune_reg.training.run import Protocol, Run, TrainingSet
from tune_reg.training.settings import TrainingSettings

__all__ = ["EpochRow", "Protocol", "Run", "SerialEngine", "TrainingSet", "TrainingSettings"]
