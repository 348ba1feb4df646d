"""The handle of a run that a training loop of the user's is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tune_reg.data import Dataset
from tune_reg.errors import StudyError
from tune_reg.global_generators import seed_all
from tune_reg.optimizers.per_parameter import Params
from tune_reg.store.schema import EpochValues
from tune_reg.trainer.metrics import Numbers, check_share, numbers, required_value, value_of
from tune_reg.trainer.pieces import CARRIED_BY, Pieces
from tune_reg.trainer.training_set import TrainerSet, examples_of
from tune_reg.training import Run, TrainingPlan
from tune_reg.training.epoch_row import epoch_row
from tune_reg.training.seeding import derive


@dataclass(frozen=True)
class Report:
    """An epoch that the loop has reported; ``row`` is None where it was recorded before."""

    row: EpochValues | None


@dataclass(frozen=True)
class Finish:
    """What the loop has handed over at its end."""

    test: Numbers
    model: nn.Module | None


class TrainerRun:
    """One run of a study, in the hands of a training loop of your own: ``train(run)``.

    The loop trains ``epochs`` epochs, tells each one with ``report``, and ends with ``finish``. It may be ended in any
    ``report`` or optimizer step by an exception that is no ``Exception``, where the search pauses or stops the run;
    when the run goes on, ``train`` is called anew, with what was in ``checkpoint_dir`` at the last report and with the
    ``start_epoch`` that belongs to it. Optimizer, loss, penalty and inputs come ready made from the run's regularizer:
    they are those of tune-reg's own engine.
    """

    def __init__(
        self,
        run: Run,
        dataset: Dataset | None,
        device: torch.device,
        checkpoint_dir: Path,
        *,
        say: Callable[[Report], None],
        check: Callable[[], None] = lambda: None,
        recorded: int = 0,
        start_epoch: int = 0,
        needs_model: bool = False,
    ) -> None:
        """``say``: given each report, returns where the loop is to go on, else raises; ``check``: raises where not.

        ``recorded``: how many epochs are recorded already; ``needs_model``: robustness tests will follow.
        """
        #: The seed of the run; runs of different regularizers are paired by it.
        self.seed = run.seed
        #: How many epochs the run has in all.
        self.epochs = run.training.epochs
        #: Where the run is to train: what ``[resources]`` gives it.
        self.device = device
        #: A folder of this machine for the loop's own checkpoints. What lies in it at a report is kept with the epoch.
        self.checkpoint_dir = checkpoint_dir
        #: How many epochs are done whose state lies in ``checkpoint_dir``; 0 where nothing lies in it.
        self.start_epoch = start_epoch
        #: The part of the training data that the run sees.
        self.training_set = TrainerSet(run, dataset, device)
        self._run = run
        self._say = say
        self._recorded = recorded
        self._needs_model = needs_model
        self._last: int | None = None  # the epoch that was reported last, by this call of the loop
        #: The first mistake in the calls of the loop, which counts even where the loop goes on.
        self.fault: StudyError | None = None
        self.finished: Finish | None = None
        self.pieces = Pieces(TrainingPlan(run, examples_of(run, dataset)), device, check)
        self.pieces.enter(start_epoch)
        self._since = time.perf_counter()

    # What the run is

    @property
    def params(self) -> dict[str, Any]:
        """The configuration of the run, at this moment: schedules at the value of this epoch.

        The regularizer's hyperparameters with their defaults, and ``learning_rate`` and ``batch_size``.
        """
        self.pieces.used.add("params")
        choices, values = self._run.split_hyperparameters()[0], self.pieces.strengths
        numbers_now = {name: float(value) for name, value in values.items()}
        return {**self._run.params, **choices, **numbers_now, **self._rates}

    @property
    def learning_rate(self) -> float:
        """The learning rate of this epoch, after its schedule."""
        return self.pieces.settings.learning_rate

    @property
    def batch_size(self) -> int:
        """The batch size of this epoch, after its schedule."""
        return self.pieces.plan.batch_sizes[self.pieces.epoch]

    @property
    def weight_decay(self) -> float:
        """The coefficient of coupled weight decay in this epoch; 0 where the regularizer has none.

        The optimizer of ``optimizer`` has it already.
        """
        self.pieces.used.add("weight_decay")
        return self.pieces.settings.weight_decay

    @property
    def dropout(self) -> float:
        """The probability to drop a unit in this epoch; 0 where the regularizer does not drop any."""
        self.pieces.used.add("dropout")
        return self.pieces.settings.dropout

    # The pieces of a training step

    def optimizer(self, parameters: Params) -> torch.optim.Optimizer:
        """The study's optimizer for ``parameters``, or for groups of them.

        Before each of its steps it sets the learning rate and weight decay of the epoch, whatever a scheduler has set,
        and applies the regularizer to gradients and weights; after it, it counts the step. A group that gives ``lr`` or
        ``weight_decay`` itself keeps that. Call ``backward`` and ``step`` as ever; "entropy-sgd" needs a closure.
        """
        return self.pieces.optimizer(parameters)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch: outputs [B, M], targets int64 [B] -> scalar.

        It is the loss of the regularizer where that has one, else ``training.loss`` of the regularizer's targets. Of
        targets that are floats it is the mean squared error.
        """
        return self.pieces.loss(outputs, targets)

    def penalty(
        self, model: Callable[..., Tensor], inputs: Tensor, targets: Tensor, *, outputs: Tensor | None = None
    ) -> Tensor:
        """The regularizer's term that is added to the loss: a scalar, 0 where it has none.

        It takes one more forward pass of ``model``, unless ``outputs`` are given, those of ``inputs`` that
        ``run.inputs`` returned.
        """
        return self.pieces.penalty(model, inputs, targets, outputs)

    def inputs(self, inputs: Tensor) -> Tensor:
        """The inputs of a batch as the network is to get them in training: with noise, where the regularizer has it.

        Where the regularizer has a penalty, they require gradients.
        """
        return self.pieces.inputs(inputs)

    def step(self) -> None:
        """Count an optimizer step, for strengths that change within an epoch.

        The optimizer of ``optimizer`` counts its steps itself, and a call changes nothing. With an optimizer of your
        own, call it after each of its steps; the regularizer's part in gradients is then yours.
        """
        if not self.pieces.has_optimizer:
            self.pieces.step()

    def remaining_epochs(self) -> Iterator[int]:
        """The epochs that are still to be trained, from ``start_epoch + 1`` to ``epochs``; each is begun.

        >>> for epoch in run.remaining_epochs():  # doctest: +SKIP
        ...     run.report(epoch, accuracy=one_epoch(model))
        """
        for epoch in range(self.start_epoch + 1, self.epochs + 1):
            self.begin_epoch(epoch)
            yield epoch

    def begin_epoch(self, epoch: int) -> None:
        """Begin an epoch, counted from 1: its schedules hold, and the global generators are seeded for it.

        So a run that goes on draws what the undisturbed one draws. ``remaining_epochs`` does it; a loop of a framework
        calls it where an epoch begins.
        """
        with self._noting_faults():
            self._check_epoch("run.begin_epoch", epoch)
        self._enter(epoch)
        self.seed_globals(epoch)

    def seed_globals(self, epoch: int) -> None:
        """Seed the global generators of torch, numpy and ``random`` for an epoch; 0 is the time before the first."""
        seed_all(derive(self._run.seed, "global", "trainer", epoch), self.device)

    # What the loop says

    def report(self, epoch: int, **metrics: Any) -> None:
        """Tell an epoch, counted from 1, with the study's metric on the validation examples: ``accuracy`` or another.

        An accuracy is a share in [0, 1]. ``val_accuracy`` is the same as ``accuracy``, and so with any metric;
        ``accuracy``, ``train_loss`` and ``val_loss`` are recorded where given, other metrics are not. A
        number that is not finite ends the run as diverged. Save what the loop needs to go on before this call. An epoch
        that was recorded before changes nothing.

        The loop ends in here, by an exception that is no ``Exception``, where the search pauses or stops the run.
        ``StudyError`` where the metric is missing, or epochs come twice or out of order.
        """
        with self._noting_faults():
            self._check_order(epoch)
            values = numbers("run.report", metrics)
            metric = self._run.metric
            value = required_value("run.report", values, "val", metric)
            accuracy = value_of(values, "val")
            if accuracy is not None:
                check_share("run.report", "val_accuracy", accuracy)
        self._last = epoch
        row = None
        if epoch > self._recorded:
            self._recorded = epoch
            self._enter(epoch)
            seconds = time.perf_counter() - self._since
            losses = values.get("train_loss"), values.get("val_loss")
            row = epoch_row(epoch, self.pieces.settings, losses[0], (losses[1], accuracy), seconds)
            row[metric.validation_column] = value
        self._say(Report(row))
        self._since = time.perf_counter()
        if epoch < self.epochs:
            self._enter(epoch + 1)

    def finish(self, test_metrics: Mapping[str, Any], model: nn.Module | None = None) -> None:
        """End the run, with the study's metric on the test examples: ``accuracy``, a share in [0, 1], or any other.

        ``test_accuracy`` is the same, and so with any metric; ``accuracy``, ``test_loss``, ``test_ece``,
        ``train_accuracy`` and ``n_test`` are recorded where given. They are recorded of confirmed runs alone.
        ``model``: images [B, C, H, W] in [0, 1] -> logits, for the tests of ``[robustness]``, which need it.
        """
        with self._noting_faults():
            if self.finished is not None:
                raise StudyError("run.finish: was called before; end the loop after it")
            if self._recorded < self.epochs:
                raise StudyError(f"run.finish: {self.epochs} epochs must be reported first, but {self._recorded} were")
            if self._needs_model and model is None:
                raise StudyError("run.finish: robustness tests need the model; call run.finish(metrics, model=model)")
            values = numbers("run.finish", test_metrics)
            required_value("run.finish", values, "test", self._run.metric)
        self.finished = Finish(values, model)

    def unused(self) -> list[tuple[str, str]]:
        """The hooks of the regularizer that the loop has carried into no step, each with the piece that carries it."""
        if "params" in self.pieces.used:
            return []  # the loop may do by hand what it reads there
        return [
            (hook, pieces[0])
            for hook, pieces in CARRIED_BY.items()
            if self.pieces.reg.fills(hook) and not self.pieces.used & set(pieces)
        ]

    @property
    def _rates(self) -> dict[str, float]:
        return {"learning_rate": self.learning_rate, "batch_size": self.batch_size}

    def _enter(self, epoch: int) -> None:
        if self.pieces.epoch != epoch - 1:
            self.pieces.enter(epoch - 1)

    def _check_order(self, epoch: int) -> None:
        if self.finished is not None:
            raise StudyError(f"run.report: epoch {epoch} came after run.finish; finish comes last")
        self._check_epoch("run.report", epoch)
        if self._last is not None and epoch <= self._last:
            raise StudyError(
                f"run.report: epoch {epoch} came after epoch {self._last}; report each epoch once, in order"
            )
        following = (self._recorded if self._last is None else self._last) + 1
        if epoch > following:
            raise StudyError(f"run.report: epoch {epoch} came where {following} is next; report each epoch, in order")

    def _check_epoch(self, call: str, epoch: object) -> None:
        if isinstance(epoch, bool) or not isinstance(epoch, int) or not 1 <= epoch <= self.epochs:
            raise StudyError(f"{call}: epochs are the whole numbers 1 to {self.epochs}, but got {epoch!r}")

    @contextmanager
    def _noting_faults(self) -> Iterator[None]:
        """Note a mistake in a call of the loop, which may go on after it."""
        try:
            yield
        except StudyError as error:
            self.fault = self.fault or error
            raise
