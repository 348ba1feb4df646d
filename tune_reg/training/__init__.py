"""Training: the plan of a run, the engine of one run, the engine of many runs side by side, checkpoints."""

from tune_reg.training.lanes import LaneEngine, LaneKey, lane_key
from tune_reg.training.run import Protocol, Run, TrainingSet
from tune_reg.training.serial_engine import Interrupted, SerialEngine
from tune_reg.training.settings import TrainingSettings
from tune_reg.training.training_plan import TrainingPlan

__all__ = [
    "Interrupted",
    "LaneEngine",
    "LaneKey",
    "Protocol",
    "Run",
    "SerialEngine",
    "TrainingPlan",
    "TrainingSet",
    "TrainingSettings",
    "lane_key",
]
