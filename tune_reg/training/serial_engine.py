"""The serial engine: trains one run in an ordinary ``nn.Module``."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from tune_reg.data import Dataset, gather, load, to_unit
from tune_reg.global_generators import current, seeded
from tune_reg.models import Dropout, has_torch_dropout, is_convolutional, set_dropout
from tune_reg.optimizers import EntropySGD, evaluations_per_step, plain_step
from tune_reg.optimizers import build as build_optimizer
from tune_reg.regularizers import Progress
from tune_reg.store.schema import EpochValues
from tune_reg.training.cuda_graphs import Replayed, graphs_for
from tune_reg.training.dropout_hook import DropoutHook
from tune_reg.training.epoch_row import epoch_row, has_diverged
from tune_reg.training.inputs import chunk_sizes, taken_chunks
from tune_reg.training.max_pool import max_pools, pool_for
from tune_reg.training.precision import forward_pass, products
from tune_reg.training.run import Run
from tune_reg.training.scores import Scores
from tune_reg.training.seeding import derive
from tune_reg.training.serial_inputs import DrawnInputs, SerialInputs, TableInputs
from tune_reg.training.step import data_loss, one_hot, regularize, rest_momentum
from tune_reg.training.training_plan import EpochSettings, TrainingPlan

#: Settings of an optimizer that belong to the engine, and not to the state that it loads.
_KEPT: Final = frozenset({"momentum", "capturable"})


class _Batch(NamedTuple):
    """What a pass over one batch needs: images, labels, their mixed targets where there are any, and the progress."""

    inputs: Tensor
    targets: Tensor
    mixed: Tensor | None
    progress: Progress


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """An epoch was interrupted between two of its steps; the engine's ``state()`` holds what was trained of it."""


class SerialEngine:
    """Trains one run, an epoch at a time, on data that stay in memory.

    ``dtype``: of parameters and arithmetic; float32 in use, float64 in tests. ``dataset``: used instead of loading
    ``run.dataset``. The state after each epoch is a function of the run alone: the same run gives the same
    weights on the same machine, and a run resumed from ``state()`` ends as the uninterrupted one. So does a network
    that draws from the global generators of torch, numpy or ``random``: each epoch seeds them, and gives them back.

    On a GPU the steps are CUDA graphs after the first few, as those of a ``LaneEngine`` are; where a step cannot be
    captured, they run eagerly.

    >>> from tune_reg.training import Run, SerialEngine, TrainingSettings
    >>> engine = SerialEngine(Run("digits", "nn-2-small", "weight-decay", training=TrainingSettings(epochs=1)))
    >>> row = engine.train_epoch()
    >>> row["epoch"], engine.finished
    (1, True)
    """

    def __init__(
        self,
        run: Run,
        *,
        data_root: Path | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        dataset: Dataset | None = None,
    ) -> None:
        self.run = run
        self.device = torch.device(device)
        self.dtype = dtype
        self.dataset = dataset or load(run.dataset, data_root)
        self.plan = TrainingPlan(run, self.dataset)
        self.settings = run.settings
        self.regularizer = self.plan.regularizer
        self.model = self._network()
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        #: Numbers that the regularizer hands on from step to step.
        self._memory = torch.zeros(
            self.regularizer.memory_size(len(self.parameters)), dtype=self.dtype, device=self.device
        )
        self._optimizer_noise = torch.Generator()
        self.optimizer = build_optimizer(
            self.settings.optimizer,
            self.parameters,
            lr=self.settings.learning_rate,
            momentum=self.settings.momentum,
            weight_decay=0.0,
            generator=self._optimizer_noise,
        )
        self._step_of_optimizer = plain_step(self.optimizer)
        for group in self.optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = self.device.type == "cuda"
        # Its first steps run eagerly, of which torch would warn.
        self.optimizer._warned_capturable_if_run_uncaptured = True
        self.epoch = 0  # epochs done
        self.diverged = False
        self.history: list[EpochValues] = []
        #: Where an interrupted epoch stands: steps done, their loss, seconds, and the states of the random streams.
        self._interrupted: dict[str, Any] = {}
        self._masks: dict[int, Tensor] = {}
        #: The coefficient of weight decay where the optimizer does not add it.
        self._weight_decay: float | Tensor | None = None
        self._total_loss = torch.zeros((), dtype=torch.float64, device=self.device)
        self._graphs = graphs_for(self.device)
        self._max_pool = pool_for(self.device)
        self._dropout = DropoutHook()
        if self._graphs is not None:
            self._dropout.register(self.model)
        self._program: _Program | None = None
        self._validation: tuple[Scores, Replayed[int]] | None = None
        self._images = self.dataset.train_images.to(self.device)
        self._labels = self.dataset.train_labels.to(self.device)

    @property
    def train_index(self) -> Tensor:
        """The images that train, as indices into the training set: int64 [n]."""
        return self.plan.train_index

    @property
    def val_index(self) -> Tensor:
        """The validation images, as indices into the training set; empty where the test set validates."""
        return self.plan.val_index

    def steps(self, epoch: int) -> int:
        """Optimizer steps in an epoch, which is counted from 0; the last batch may be smaller."""
        return self.plan.steps(epoch)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.diverged or self.epoch >= self.settings.epochs

    @property
    def step(self) -> int:
        """Steps that are done of an interrupted epoch; 0 where none is interrupted."""
        return int(self._interrupted.get("step", 0))

    def train_epoch(self, leave: Callable[[], bool] = lambda: False) -> EpochValues:
        """Train one epoch and validate; the row for the table of epochs. A loss that is not finite ends the run.

        Validation loss and accuracy are None where ``validate_every`` leaves the validation of this epoch out.

        ``leave``: asked before each step; where it says true, ``Interrupted`` is raised. The next call goes on with an
        interrupted epoch, which ends as if it had not been interrupted.
        """
        begin = time.perf_counter() - self._interrupted.get("seconds", 0.0)
        settings = self.plan.epoch_settings(self.epoch)
        self._begin_epoch(settings)
        try:
            seed, states = derive(self.run.seed, "global", self.epoch), self._interrupted.get("global")
            with seeded(seed, self.device, states), products(self.settings.precision):
                train_loss = self._train(leave)
        except Interrupted:
            self._interrupted["seconds"] = time.perf_counter() - begin
            raise
        self.epoch += 1
        self._interrupted = {}
        validated = self.settings.validates_after(self.epoch)
        scores = self.evaluate("validation") if validated else (None, None)
        # Only now is the loss read: until here a GPU was given work without waiting for it.
        loss = float(train_loss) / len(self.train_index)
        row = epoch_row(self.epoch, settings, loss, scores, time.perf_counter() - begin)
        self.diverged = has_diverged(row)
        self.history.append(row)
        if self.finished:  # the graphs' memory is free for what comes after the training
            self._program = self._validation = None
        return row

    def evaluate(self, part: str) -> tuple[float, float]:
        """Mean cross-entropy and accuracy on "train", "validation" or "test", in evaluation mode."""
        scores, evaluate = self._scores(part)
        self.model.eval()
        scores.begin()
        with seeded(derive(self.run.seed, "global", self.epoch, part), self.device), products("float32"):
            for size in scores.sizes:
                evaluate(size)
        return scores.read()

    def _scores(self, part: str) -> tuple[Scores, Callable[[int], None]]:
        """The scores of a part, and a function that adds those of a batch."""
        if part != "validation":  # evaluated once, so that a graph would not pay
            scores = Scores(self.model, *self._part(part), self.dtype)
            return scores, scores
        if self._validation is None:
            scores = Scores(self.model, *self._part(part), self.dtype)
            self._validation = scores, Replayed(scores, scores.state, self._graphs)
        return self._validation

    def size(self, part: str) -> int:
        """The number of images of "train", "validation" or "test"."""
        return len(self._index(part))

    def batch(self, part: str, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Examples [N, ...] (images in [0, 1]) and labels [N] of a part, at ``positions`` int64 [N] below its size."""
        images, labels, index = self._part(part)
        index = index[positions.to(self.device)]
        return self._batch(images, index), labels[index]

    def state(self) -> dict[str, Any]:
        """The state of the run for a checkpoint: tensors and plain values."""
        return {
            "epoch": self.epoch,
            "diverged": self.diverged,
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer_state(),
            **({"memory": self._memory} if len(self._memory) else {}),
            **({"left": self._interrupted} if self._interrupted else {}),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from ``state`` of this or another engine, with the settings and strengths of this run."""
        self.model.load_state_dict(state["model"])
        # Torch loads the settings with the state. Learning rate and decay are set in every epoch anyway.
        saved = state["optimizer"]
        kept = [{key: group[key] for key in _KEPT & group.keys()} for group in self.optimizer.param_groups]
        groups = [{**group, **ours} for group, ours in zip(saved["param_groups"], kept, strict=True)]
        self.optimizer.load_state_dict({**saved, "param_groups": groups})
        self._program = None  # it writes to the tensors of the state before
        self.epoch, self.diverged, self.history = state["epoch"], state["diverged"], list(state["history"])
        self._memory.copy_(state.get("memory", torch.zeros_like(self._memory)))
        self._interrupted = dict(state.get("left", {}))

    def _optimizer_state(self) -> dict[str, Any]:
        """The optimizer's state in the form that it has on every device."""
        state = self.optimizer.state_dict()
        plain = [
            {key: float(value) if isinstance(value, Tensor) else value for key, value in group.items()}
            for group in state["param_groups"]
        ]
        return {**state, "param_groups": plain}

    def _network(self) -> nn.Module:
        model = self.plan.network(self.dataset).to(self.device, self.dtype)
        if is_convolutional(model):
            model = model.to(memory_format=torch.channels_last)
        return model

    def _part(self, part: str) -> tuple[Tensor, Tensor, Tensor]:
        """Images and labels of a part on the device, and the index of the part's images into them."""
        images, labels = self._images, self._labels
        if self.plan.reads_test_images(part):
            images, labels = self._tested
        return images, labels, self._index(part).to(self.device)

    @cached_property
    def _tested(self) -> tuple[Tensor, Tensor]:
        """The images and labels of the test set on the device, uploaded where they are first asked for."""
        return self.dataset.test_images.to(self.device), self.dataset.test_labels.to(self.device)

    def _index(self, part: str) -> Tensor:
        """The index of a part's images into those that ``_part`` gives, on the CPU."""
        if self.plan.reads_test_images(part):
            return torch.arange(len(self.dataset.test_labels))
        return self.train_index if part == "train" else self.val_index

    def _batch(self, images: Tensor, index: Tensor) -> Tensor:
        return to_unit(gather(images, index), self.dtype)

    def _begin_epoch(self, settings: EpochSettings) -> None:
        """Set what holds for a whole epoch: learning rate, weight decay, dropout, streams, and which weights learn."""
        self._weight_decay = settings.weight_decay
        self._streams = self.plan.streams(self.epoch)
        if self.regularizer.fills("dropout"):
            self._streams["dropout"] = self.plan.dropout_stream(self.epoch)
            set_dropout(self.model, settings.dropout, self._streams["dropout"])
        self._optimizer_noise.manual_seed(self.plan.optimizer_seed(self.epoch))
        self._streams["optimizer"] = self._optimizer_noise
        for purpose, stream_state in self._interrupted.get("streams", {}).items():
            self._streams[purpose].set_state(stream_state)
        self._masks = self.plan.masks(self.epoch, self.parameters)
        rest_momentum(self.optimizer, self.parameters, self._masks)
        self._inputs, self._run_step = self._tables(settings) if self._graphs is not None else self._drawn(settings)

    def _drawn(self, settings: EpochSettings) -> tuple[SerialInputs, Callable[[tuple[int, ...]], None]]:
        """What steps read that draw their own random numbers, and the step."""
        self._weight_decay = settings.weight_decay if self._masks else None
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate
            # Where weights are masked, decay must be masked with the gradient.
            group["weight_decay"] = 0.0 if self._masks else settings.weight_decay
        inputs = DrawnInputs(self.plan, self.epoch, self._streams, dtype=self.dtype, device=self.device)
        return inputs, self._step

    def _tables(self, settings: EpochSettings) -> tuple[SerialInputs, Callable[[tuple[int, ...]], None]]:
        """What steps read that a graph can replay, and the step; made anew where an epoch needs another graph."""
        # Torch's own dropout layers have their rate in the graph, and each size of batch has its tables.
        needs = self.plan.batch_sizes[self.epoch], settings.dropout if has_torch_dropout(self.model) else 0.0
        if self._program is None or self._program.needs != needs:
            self._program = None  # its memory is free before the next one is made
            with seeded(0, self.device):
                inputs = TableInputs(
                    self.plan,
                    self.epoch,
                    self.dataset,
                    self.model,
                    self.parameters,
                    self._dropout,
                    dtype=self.dtype,
                    device=self.device,
                )
            # The program must not hold the engine that holds it: an engine that is dropped gives its memory on the
            # device back at once, and not when garbage is collected.
            step, changed = _weakly_bound(self._step), _Changed(weakref.proxy(self), inputs)
            self._program = _Program(needs, inputs, Replayed(step, changed, self._graphs))
        inputs = self._program.inputs
        inputs.begin(self.plan, self.epoch, settings, self._streams, self._masks, self.step)
        self._masks = inputs.masks
        self._weight_decay = inputs.weight_decay if self.regularizer.fills("weight_decay") else None
        for layer in self.model.modules():
            if isinstance(layer, Dropout):
                layer.rate = 0.0  # its masks come from the tables
        for group in self.optimizer.param_groups:
            group["lr"], group["weight_decay"] = inputs.learning_rate, 0.0
            # Entropy-SGD counts the steps of all parameters together.
            if "step" in group and not isinstance(group["step"], Tensor):
                group["step"] = torch.tensor(group["step"], dtype=torch.float64, device=self.device)
        return inputs, self._program.step

    def _train(self, leave: Callable[[], bool]) -> Tensor:
        """One pass over the training images in the order of this seed and epoch; the sum of their losses, float64."""
        sizes = chunk_sizes(len(self.train_index), self.plan.batch_sizes[self.epoch])
        self._total_loss.fill_(self._interrupted.get("total", 0.0))
        self.model.train()
        for taken in taken_chunks(len(sizes), evaluations_per_step(self.settings.optimizer)):
            if taken[0] < self.step:  # done before the epoch was interrupted
                continue
            if leave():
                self._keep_position(taken[0])
                raise Interrupted
            self._inputs.prepare(taken[0])
            self._run_step(tuple(sizes[i] for i in taken))
        return self._total_loss

    def _step(self, sizes: tuple[int, ...]) -> None:
        """One step of the optimizer, on the next batches of these sizes."""
        progress = self._inputs.progress() if self.regularizer.fills("settle") else None
        if isinstance(self.optimizer, EntropySGD):
            batches, before = iter(sizes), self._copies_to_settle()
            self.optimizer.step(lambda: self._evaluate(next(batches)), self._inputs.normal)
        else:
            self._evaluate(*sizes)
            before = self._copies_to_settle()
            self._step_of_optimizer()
        self._settle(before, progress)

    def _keep_position(self, step: int) -> None:
        """Keep where the epoch is interrupted, for ``state`` and the next call of ``train_epoch``."""
        self._inputs.left_at(step)
        streams = {purpose: stream.get_state() for purpose, stream in self._streams.items()}
        self._interrupted = {
            "step": step,
            "total": float(self._total_loss),
            "streams": streams,
            "global": current(self.device),
        }

    def _evaluate(self, size: int) -> Tensor:
        """Compute the gradients of the next ``size`` images, regularized; the loss of the batch with its penalties."""
        read, reg = self._inputs, self.regularizer
        chunk, progress, strengths = read.index(size), read.progress(), read.strengths
        images, targets = gather(self._images, chunk), self._labels[chunk]
        if self.settings.augment == "crop-flip":
            images = read.augmented(images)
        inputs = to_unit(images, self.dtype)
        mixed = None
        if reg.fills("mix"):
            rows = one_hot(targets, self.dataset.classes, self.dtype)
            inputs, mixed = reg.mix(inputs, rows, strengths, progress, read.noise("mix", inputs))
        if reg.fills("inputs"):
            inputs = reg.inputs(inputs, strengths, progress, read.noise("inputs", inputs))
        if reg.fills("penalty"):
            inputs.requires_grad_(inputs.is_floating_point())
        batch = _Batch(inputs, targets, mixed, progress)
        read.begin_pass(again=False)
        loss, objective = self._backward(batch)
        self._total_loss += loss.double() * size
        if reg.fills("ascend"):
            read.begin_pass(again=True)
            self._backward_elsewhere(batch)
        self._regularize_together(progress)
        regularize(
            reg,
            self.parameters,
            strengths,
            progress,
            lambda gradient: read.noise("gradient", gradient),
            self._masks,
            self._weight_decay,
        )
        read.end()
        return objective

    def _backward(self, batch: _Batch) -> tuple[Tensor, Tensor]:
        """Compute the gradients of one batch; its loss, without penalties and with them."""
        inputs, targets, mixed, progress = batch
        reg, strengths = self.regularizer, self._inputs.strengths
        with max_pools(self._max_pool, lanes=False), forward_pass(self.settings.precision):
            outputs = self.model(inputs)
        outputs = outputs.to(self.dtype)
        loss = objective = data_loss(reg, self.settings.loss, outputs, targets, mixed, strengths, progress)
        if reg.fills("penalty"):
            noise = self._inputs.noise("penalty", outputs)
            objective = loss + reg.penalty(inputs, outputs, targets, strengths, progress, noise)
        self.optimizer.zero_grad(set_to_none=True)
        objective.backward(inputs=self.parameters)  # type: ignore[no-untyped-call]
        return loss.detach(), objective.detach()

    def _backward_elsewhere(self, batch: _Batch) -> None:
        """Compute the gradients of one batch again, at the point that the regularizer names; weights stay."""
        reg, parameters, buffers = self.regularizer, self.parameters, list(self.model.buffers())
        with torch.no_grad():
            points = reg.ascend(parameters, self._gradients(), self._inputs.strengths, batch.progress)
            # Copies, since adding and subtracting a step would round.
            kept = [tensor.clone() for tensor in (*parameters, *buffers)]
            for parameter, point in zip(parameters, points, strict=True):
                parameter.copy_(point)
        self._backward(batch)
        with torch.no_grad():
            for tensor, before in zip((*parameters, *buffers), kept, strict=True):
                tensor.copy_(before)

    def _gradients(self) -> list[Tensor]:
        """The gradient of each parameter; 0 for one that has no part in the loss."""
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]

    @torch.no_grad()
    def _regularize_together(self, progress: Progress) -> None:
        """Let the regularizer change all gradients together."""
        if not self.regularizer.fills("gradients"):
            return
        made, memory = self.regularizer.gradients(
            self._gradients(), self.parameters, self._memory, self._inputs.strengths, progress
        )
        self._memory.copy_(memory)
        for parameter, gradient in zip(self.parameters, made, strict=True):
            if parameter.grad is not None:
                parameter.grad = gradient

    def _copies_to_settle(self) -> list[Tensor]:
        """The parameters before the optimizer's step, where the regularizer looks at them after it."""
        return [p.detach().clone() for p in self.parameters] if self.regularizer.fills("settle") else []

    @torch.no_grad()
    def _settle(self, before: Sequence[Tensor], progress: Progress | None) -> None:
        """Let the regularizer change the parameters after the optimizer's step; None: it does not."""
        if progress is None:
            return
        settled, memory = self.regularizer.settle(
            before, self.parameters, self._memory, self._inputs.strengths, progress
        )
        self._memory.copy_(memory)
        for parameter, value in zip(self.parameters, settled, strict=True):
            if parameter.grad is not None:
                parameter.copy_(value)


@dataclass
class _Program:
    """The step of a run as a graph can replay it, what the step reads, and what must be the same to use it again."""

    needs: tuple[int, float]
    inputs: TableInputs
    step: Replayed[tuple[int, ...]]


@dataclass(frozen=True)
class _Changed:
    """The tensors that a step of an engine changes, some of which its optimizer makes in the first step."""

    engine: SerialEngine
    inputs: TableInputs

    def __iter__(self) -> Iterator[Tensor]:
        engine = self.engine
        changed = [*engine.parameters, *engine.model.buffers(), engine._memory, engine._total_loss]
        for of_parameter in engine.optimizer.state.values():
            changed += (value for value in of_parameter.values() if isinstance(value, Tensor))
        changed += (group["step"] for group in engine.optimizer.param_groups if "step" in group)
        # As one lane, whose numbers are compared together.
        return (tensor.detach().unsqueeze(0) for tensor in (*changed, self.inputs.table.at))


def _weakly_bound(step: Callable[[tuple[int, ...]], None]) -> Callable[[tuple[int, ...]], None]:
    """A step that is a method, as a function that does not keep its object alive."""
    reference = weakref.WeakMethod(step)

    def call(sizes: tuple[int, ...]) -> None:
        method = reference()
        assert method is not None
        method(sizes)

    return call
