"""The rows of a confirmed run: its one evaluation on the test set, and its robustness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

from tune_reg.data import Dataset
from tune_reg.errors import StudyError
from tune_reg.evaluation.attacks import attackable, fast_gradient, pgd
from tune_reg.evaluation.battery import robustness
from tune_reg.evaluation.calibration import expected_calibration_error, negative_log_likelihood
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.evaluation.unit_range import in_unit_range
from tune_reg.store.metric import ACCURACY
from tune_reg.store.schema import FinalValues, RobustnessValues
from tune_reg.training import SerialEngine
from tune_reg.training.precision import products
from tune_reg.training.seeding import generator

#: Images at a time.
_BATCH: Final = 1000


def final_row(engine: SerialEngine) -> FinalValues:
    """Train and test accuracy of a trained run, also by class, and the papers' measures, as columns of "final".

    Here the test set is read, once, when training is over. ``test_loss`` is the mean cross-entropy on it, which is the
    negative log-likelihood. Raises StudyError before the end of the training: a test accuracy in the middle of a run
    could only serve to pick an epoch.

    >>> from tune_reg.evaluation import final_row
    >>> from tune_reg.training import Run, SerialEngine, TrainingSettings
    >>> engine = SerialEngine(Run("digits", "nn-2-small", "weight-decay", training=TrainingSettings(epochs=1)))
    >>> _ = engine.train_epoch()
    >>> row = final_row(engine)
    >>> row["n_test"], 0 < row["test_accuracy"] < 1, 0 < row["test_ece"] < 1
    (360, True, True)
    """
    if not engine.finished:
        raise StudyError(
            f"final_row: the test set is read once, when training is over, but epoch {engine.epoch} of "
            f"{engine.plan.settings.epochs} is trained; train on, or look at validation accuracy"
        )
    labels = engine.dataset.test_labels
    logits = _test_logits(engine)
    right = logits.argmax(1) == labels
    test_accuracy = float(right.double().mean())
    class_images = torch.bincount(labels, minlength=engine.dataset.classes).tolist()
    class_right = torch.bincount(labels[right], minlength=engine.dataset.classes).tolist()
    _, train_accuracy = engine.evaluate("train")
    curve = [ACCURACY.of_epoch(row) for row in engine.history]
    highest, last_tenth = over_epochs(curve)
    return {
        "n_train": len(engine.train_index),
        "n_test": len(labels),
        "train_accuracy": train_accuracy,
        "val_accuracy": curve[-1],
        "test_accuracy": test_accuracy,
        "test_loss": negative_log_likelihood(logits, labels),
        "test_ece": expected_calibration_error(logits.softmax(1), labels),
        "generalization_gap": train_accuracy - test_accuracy,
        "max_over_epochs": highest,
        "mean_last_10pct": last_tenth,
        "val_metric": None,
        "test_metric": None,
        "test_class_accuracy": [
            correct / images if images else None for correct, images in zip(class_right, class_images, strict=True)
        ],
        "test_class_images": class_images,
    }


def over_epochs(curve: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """The papers' measures of a run: the highest accuracy of any epoch, and the mean over the last tenth of them.

    None where an epoch has no accuracy: a maximum over some of the epochs would be another measure.

    >>> over_epochs([0.5, 1.0, 0.75]), over_epochs([math.nan, 1.0, 0.75])
    ((1.0, 0.75), (None, None))
    """
    if any(math.isnan(accuracy) for accuracy in curve):
        return None, None
    last = curve[-math.ceil(len(curve) / 10) :]
    return max(curve), sum(last) / len(last)


def robustness_rows(engine: SerialEngine, **settings: Any) -> list[RobustnessValues]:
    """The robustness of a trained run on ``images`` test images, as columns of "robustness".

    ``settings``: the keys of ``RobustnessSettings``. The images are drawn by the study's seed, and so are noise and
    random starts: all runs of a study are tested on the same ones.

    >>> from tune_reg.evaluation import robustness_rows
    >>> from tune_reg.training import Run, SerialEngine, TrainingSettings
    >>> engine = SerialEngine(Run("digits", "nn-2-small", "weight-decay", training=TrainingSettings(epochs=1)))
    >>> _ = engine.train_epoch()
    >>> [(row["test"], row["epsilon"], row["n"]) for row in robustness_rows(engine, fgsm=[0.1], images=50)]
    [('fgsm', 0.0, 50), ('fgsm', 0.1, 50)]
    """
    tests = RobustnessSettings(**settings)
    if tests.empty:
        return []
    part = _Part(engine, "test")
    return tested_rows(engine.model, part, tests, seed=engine.run.split_seed, dataset=engine.dataset)


def validation_robustness(engine: SerialEngine, *, attack: str, epsilon: float, images: int) -> float:
    """The accuracy on ``images`` validation images under ``attack`` ("fgsm" or "pgd-linf") of Linf radius ``epsilon``.

    The images and random starts are drawn by the study's seed: all trials are attacked on the same ones.

    >>> from tune_reg.evaluation import validation_robustness
    >>> from tune_reg.training import Run, SerialEngine, TrainingSettings
    >>> engine = SerialEngine(Run("digits", "nn-2-small", "weight-decay", training=TrainingSettings(epochs=1)))
    >>> _, clean = engine.evaluate("validation")
    >>> 0 <= validation_robustness(engine, attack="fgsm", epsilon=0.1, images=50) <= clean + 0.1
    True
    """
    part, seed = _Part(engine, "validation"), engine.run.split_seed
    return attacked_accuracy(
        engine.model, part, attack=attack, epsilon=epsilon, images=images, seed=seed, dataset=engine.dataset
    )


class Tested(Protocol):
    """Images that a model is tested on, with their labels, by their positions."""

    def __len__(self) -> int: ...

    def pick(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Images [B, C, H, W] in [0, 1] and labels [B] at ``positions`` int64 [B]."""


@dataclass(frozen=True)
class _Part:
    """A part of an engine's images, by its name."""

    engine: SerialEngine
    part: str

    def __len__(self) -> int:
        return self.engine.size(self.part)

    def pick(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        return self.engine.batch(self.part, positions)


@dataclass(frozen=True)
class Images:
    """Images [N, C, H, W] in [0, 1] and labels [N] in memory."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def pick(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The images and labels at ``positions``."""
        positions = positions.to(self.labels.device)
        return self.images[positions], self.labels[positions]


def tested_rows(
    model: nn.Module, tested: Tested, tests: RobustnessSettings, *, seed: int, dataset: Dataset
) -> list[RobustnessValues]:
    """As ``robustness_rows``, of any model; ``seed`` draws the images, and radii are in the range of ``dataset``."""
    index = torch.randperm(len(tested), generator=generator(seed, "robustness"))
    images, labels = tested.pick(index[: tests.images])
    model, images = in_unit_range(model, images, dataset)
    return robustness(model, images, labels, tests, seed=seed)


def attacked_accuracy(
    model: nn.Module,
    tested: Tested,
    *,
    attack: str,
    epsilon: float,
    images: int,
    seed: int,
    dataset: Dataset,
) -> float:
    """As ``validation_robustness``, of any model; ``seed`` draws the images."""
    index = torch.randperm(len(tested), generator=generator(seed, "second objective"))
    inputs, labels = tested.pick(index[:images])
    model, inputs = in_unit_range(model, inputs, dataset)
    with attackable(model):
        if attack == "fgsm":
            withstood = fast_gradient(model, inputs, labels, [epsilon])
        else:
            withstood = pgd(model, inputs, labels, [epsilon], seed=seed)
    return float(withstood.double().mean())


def _test_logits(engine: SerialEngine) -> Tensor:
    """The logits of all test images in evaluation mode: float64 [N, M], on the CPU."""
    engine.model.eval()
    chunks = torch.split(torch.arange(len(engine.dataset.test_labels)), _BATCH)
    with torch.no_grad(), products("float32"):
        return torch.cat([engine.model(engine.batch("test", chunk)[0]).double().cpu() for chunk in chunks])
