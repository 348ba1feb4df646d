"""The engines: from a run to its rows, with checkpoints in between."""

from tune_reg.training.course import EpochRow
from tune_reg.training.engine import Interrupted, SerialEngine
from tune_reg.training.lane_key import LaneKey, lane_key
from tune_reg.training.lanes import LaneEngine
from tune_reg.training.run import Protocol, Run, TrainingSet
from tune_reg.training.settings import TrainingSettings

__all__ = [
    "EpochRow",
    "Interrupted",
    "LaneEngine",
    "LaneKey",
    "Protocol",
    "Run",
    "SerialEngine",
    "TrainingSet",
    "TrainingSettings",
    "lane_key",
]
