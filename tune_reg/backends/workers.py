"""Who trains a run: the engine, or a training loop of the user's own."""

from __future__ import annotations

import torch

from tune_reg.backends.run_worker import RunWorker
from tune_reg.backends.trainer_worker import TrainerWorker
from tune_reg.execution.messages import RunOrder


def worker_for(order: RunOrder, device: torch.device) -> RunWorker | TrainerWorker:
    """The worker of one run, at what is kept of it; ``close`` it at the end, wherever the run then stands."""
    return TrainerWorker(order, device) if order.run.trainer else RunWorker(order, device)
