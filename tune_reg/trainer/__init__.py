"""Training loops of the user's own: the handle of a run that they are given, and how they are called."""

from tune_reg.trainer.ended import RunEnded
from tune_reg.trainer.handle import Finish, Report, TrainerRun
from tune_reg.trainer.loop import Loop
from tune_reg.trainer.training_set import TrainerSet

__all__ = ["Finish", "Loop", "Report", "RunEnded", "TrainerRun", "TrainerSet"]
