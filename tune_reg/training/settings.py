"""The settings of training, apart from the regularizer: the ``[training]`` table of a study."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from tune_reg.errors import did_you_mean
from tune_reg.optimizers import OPTIMIZERS
from tune_reg.schedules import Schedule, schedule_from_plain, schedule_from_text

#: A schedule is looked at in every epoch before a study starts.
MOST_EPOCHS: Final = 100_000

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TrainingSettings(BaseModel):
    """The ``[training]`` table of a study, which holds for every regularizer.

    >>> TrainingSettings(epochs=3).batch_size
    128
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    #: The settings that a single regularizer of a study may replace, by a fixed value or a searched one.
    OWN: ClassVar = (
        "batch_size",
        "batch_size_schedule",
        "learning_rate",
        "learning_rate_schedule",
        "loss",
        "momentum",
        "optimizer",
    )
    #: The settings of ``OWN`` that may have a schedule, as a factor.
    SCHEDULED: ClassVar = ("batch_size", "learning_rate")

    #: Epochs of a whole training.
    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] = 10
    #: Images of a step.
    batch_size: Annotated[int, Field(ge=1, le=10**9)] = 128
    #: A schedule or its name: a factor on the batch size over the epochs; the product is rounded, and at least 1.
    batch_size_schedule: Any = "constant"
    #: The learning rate before its schedule, where no search replaces it.
    learning_rate: Positive = 0.1
    #: A schedule or its name: a factor on the learning rate over the epochs.
    learning_rate_schedule: Any = "constant"
    #: The name of an optimizer: "sgd", "adam", ...
    optimizer: str = "sgd"
    #: The momentum of sgd; the other optimizers have constants of their own.
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    #: The loss of regularizers that bring none. "mse" is the loss of residual smoothing without smoothing.
    loss: Literal["cross-entropy", "mse"] = "cross-entropy"
    #: "crop-flip" shifts images by up to four pixels and mirrors half of them.
    augment: Literal["none", "crop-flip"] = "none"
    #: The precision of products in training. "bfloat16": of the forward pass, and so of the backward pass; "tf32": a
    #: GPU rounds the factors of all products to TF32, which "float32" lets it do nowhere. Weights, their updates and
    #: losses are float32 in each case, and so are validation, tests and attacks, without TF32.
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    #: Share of the training images held out to pick strengths by.
    validation: Annotated[float, Field(gt=0, lt=1)] = 1 / 6
    #: Validate after every so many epochs, and after the last one. Where few images train and many validate, validation
    #: takes most of the time. A search reads a trial at the first validation from each of its rungs on.
    validate_every: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] = 1

    @field_validator("learning_rate_schedule", "batch_size_schedule")
    @classmethod
    def _known_schedule(cls, value: Any, info: ValidationInfo) -> Any:
        schedule = _schedule(value)
        # Every schedule is monotone or constant between its boundaries: a hundred points show its sign.
        lowest = min(float(schedule(i / 100)) for i in range(101))
        if lowest < 0:
            of = str(info.field_name).removesuffix("_schedule").replace("_", " ")
            raise ValueError(f"a factor on the {of} must be >= 0 throughout, but it falls to {lowest:g}")
        return value

    @field_validator("optimizer")
    @classmethod
    def _known_optimizer(cls, value: str) -> str:
        if value not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {value!r}{did_you_mean(value, OPTIMIZERS)}")
        return value

    def validates_after(self, epoch: int) -> bool:
        """Whether a network is validated after an epoch, which is counted from 1.

        >>> settings = TrainingSettings(epochs=5, validate_every=2)
        >>> [settings.validates_after(epoch) for epoch in (1, 2, 3, 4, 5)]
        [False, True, False, True, True]
        """
        return epoch % self.validate_every == 0 or epoch == self.epochs

    def batch_sizes(self) -> list[int]:
        """The batch size of each epoch.

        >>> doubled = {"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]}
        >>> TrainingSettings(epochs=4, batch_size_schedule=doubled).batch_sizes()
        [128, 128, 256, 256]
        """
        if self.batch_size_schedule == "constant":
            return [self.batch_size] * self.epochs
        factor = _schedule(self.batch_size_schedule)
        at = [epoch / max(self.epochs - 1, 1) for epoch in range(self.epochs)]
        return [max(1, round(self.batch_size * float(factor(progress)))) for progress in at]

    def schedule(self) -> Schedule:
        """The factor on the learning rate as a function of progress."""
        return _schedule(self.learning_rate_schedule)


def _schedule(plain: Any) -> Schedule:
    whole = schedule_from_text(plain) if isinstance(plain, str) else None
    if whole is not None:
        return whole
    return schedule_from_plain(plain if isinstance(plain, dict) else {"kind": plain})
