"""The tables of a study file: search, confirm, resources. Each is validated by pydantic and immutable."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from search_spaces import Choice, Domain, Float, SpaceError, entry_from_plain
from tune_reg.decisions import LOOKS
from tune_reg.errors import StudyError
from tune_reg.store import ACCURACY, GOALS, Goal, Metric
from tune_reg.study.learning_rate import LEARNING_RATE
from tune_reg.study.method import check_bounds
from tune_reg.training.settings import MOST_EPOCHS

#: Larger numbers are slips of the hand, at which a study would plan for hours or never end.
MOST_TRIALS: Final = 100_000
MOST_SIZES: Final = 100
MOST_SEEDS: Final = 10_000
MOST_IMAGES: Final = 10**9

PositiveInt = Annotated[int, Field(ge=1, le=MOST_IMAGES)]
SamplerName = Literal["knowledge-gradient", "tpe-gp", "tpe", "gp", "cma-es", "qmc", "random", "grid"]
TrackerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]
PrunerName = Literal["pause", "predicted", "asha", "hyperband", "median", "wilcoxon", "none"]
Fraction = Annotated[float, Field(gt=0, le=1)]

#: The measure of the primary comparison, where a study names no other, and that rounds are decided by.
TEST_ACCURACY: Final = "test_accuracy"

_BETTER: Final = {"maximize": "larger it is", "minimize": "smaller it is"}

_MOST_LANES: Final = 10_000
_MOST_GPUS: Final = 1000
_SMALLEST_SHARE: Final = 0.01

#: The signed-rank test cannot reach p < WILCOXON_P over fewer seeds than WILCOXON_SEEDS, whatever the values.
WILCOXON_SEEDS: Final = 4
WILCOXON_P: Final = 0.1


class Table(BaseModel):
    """A table of a study file: immutable, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class MetricSettings(Table):
    """The table ``[metric]``: what a study searches and decides by, where it is not the accuracy.

    >>> MetricSettings(name="rmse").metric
    Metric(name='rmse', goal='minimize', unit='')
    """

    #: As training reports it. The house's own training reports "accuracy" and "loss", the cross-entropy on validation
    #: and test images.
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")] = ACCURACY.name
    #: Whether larger values are better, or smaller ones. Known of accuracy, loss, rmse, mse and mae.
    goal: Goal | None = None
    #: Shown beside numbers: "m", "bits". The accuracy is shown in per cent and points.
    unit: Annotated[str, Field(pattern=r"^[^\n\r\t|]{0,20}$")] = ""

    @model_validator(mode="after")
    def _directed(self) -> Self:
        usual = GOALS.get(self.name)
        if self.goal is None and usual is None:
            raise StudyError(
                f'metric.goal: nothing is known of {self.name!r}; say "maximize" where larger values are better, '
                '"minimize" where smaller ones are'
            )
        if usual is not None and self.goal not in (None, usual):
            raise StudyError(f"metric.goal: {self.name} is better the {_BETTER[usual]}, but got {self.goal!r}")
        if self.metric.is_accuracy and self.unit:
            raise StudyError(f"metric.unit: the accuracy is shown in per cent, but got {self.unit!r}; leave it out")
        object.__setattr__(self, "goal", self.goal or usual)
        return self

    @property
    def metric(self) -> Metric:
        """The metric itself."""
        return Metric(self.name, self.goal or GOALS.get(self.name, "maximize"), self.unit)


class SecondObjective(Table):
    """The table ``[search.second_objective]``: what a search looks for beside validation accuracy.

    >>> SecondObjective(kind="robust_accuracy", attack="fgsm", epsilon=0.1).images
    1000
    """

    #: "robust_accuracy": accuracy on validation images under an attack; "epoch_time": seconds an epoch, the fewer the
    #: better.
    kind: Literal["robust_accuracy", "epoch_time"]
    #: "fgsm" takes one step, "pgd-linf" 40.
    attack: Literal["fgsm", "pgd-linf"] = "fgsm"
    #: Linf radius of the attack on images in [0, 1].
    epsilon: Annotated[float, Field(ge=0, le=1)] = 0.0
    #: Validation images attacked; all where there are fewer.
    images: PositiveInt = 1000

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "robust_accuracy") != (self.epsilon > 0):
            raise StudyError(
                f"search.second_objective.epsilon: must be > 0 for robust_accuracy, and is for nothing else, "
                f"but got {self.epsilon:g} with {self.kind}"
            )
        return self


class SearchSettings(Table):
    """The ``[search]`` table: the budget of each regularizer and how it is spent."""

    #: Configurations tried for each regularizer at each searched fraction.
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = 16
    #: Trainings of a configuration, each on a seed of its own; its value is their mean. With the sampler
    #: knowledge-gradient at most so many, where the search finds them worth it; else the pruner stops a configuration
    #: after any of them.
    seeds: Annotated[int, Field(ge=1, le=64)] = 1
    #: "knowledge-gradient" does what is expected to raise the best expected value most, by a model of final values; it
    #: is the default, but "tpe-gp" where a pruner other than pause and none is given: TPE, and a Gaussian process that
    #: has every second turn where an epoch takes a second or more. "grid" tries every combination of spaces that are
    #: choices only, and no more trials than there are.
    sampler: SamplerName = "knowledge-gradient"
    #: "none" trains every trial to the end; it is the default of the sampler knowledge-gradient. "pause" goes with that
    #: sampler, too: it pauses a trial at a rung where another one is worth more, and may go on with it; with a second
    #: objective it is the default, and stops a trial that could not win. "predicted", the default of other samplers, is
    #: asynchronous successive halving by predicted final values, doubtful ones in the trial's favour;
    #: "asha" the same by the values at hand, "hyperband" several of it; "median" stops what is worse than the
    #: median of the finished trials at the same epoch; "wilcoxon" stops what its seeds so far show to be worse than
    #: the best.
    pruner: PrunerName = "none"
    #: Whether what is known of a hyperparameter beforehand counts in the sampler knowledge-gradient.
    prior: bool = True
    #: Whether each regularizer is also tried at the others' best values of hyperparameters that they share, once all
    #: searches of a training set are over, so that none is behind by an unlucky learning rate, for example.
    shared_values: bool = True
    #: The trial wins from which most is expected. With "space" the best point of the whole space by the model is tried
    #: before, as one more trial that is trained to the end.
    pick: Literal["trial", "space"] = "trial"
    #: At each rung one trial in so many goes on; with "pause", rungs stand so many times further each.
    reduction_factor: Annotated[int, Field(ge=2, le=1000)] = 3
    #: The first rung: a third of the epochs with "pause", else 1, where not given. With "pause" and none given there is
    #: no other rung before the end.
    min_epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] | None = None
    #: What every regularizer gets as much of. "epochs": passes over the training images, of which an epoch of sam takes
    #: two, and counts as two. "seconds": one that takes longer for an epoch than the fastest one trains so many times
    #: fewer epochs.
    budget: Literal["epochs", "seconds"] = "epochs"
    #: A search ends early once so many trials, in the order in which they were asked for, have ended without a better
    #: one; 0 is never.
    patience: Annotated[int, Field(ge=0, le=MOST_TRIALS)] = 0
    #: Looked for beside validation accuracy. The winner is then the best in it among the trials within one standard
    #: error of the highest accuracy.
    second_objective: SecondObjective | None = None
    #: A range that is searched beside every strength; without it ``training.learning_rate`` holds.
    learning_rate: Any = None
    #: Fractions at which strengths are searched; the largest of the study's alone where not given.
    fractions: Annotated[list[Fraction], Field(max_length=MOST_SIZES)] = []
    #: Images of each class at which strengths are searched, where the study gives ``images_per_class``.
    images_per_class: Annotated[list[PositiveInt], Field(max_length=MOST_SIZES)] = []

    @field_validator("fractions", "images_per_class")
    @classmethod
    def _distinct(cls, value: list[Any]) -> list[Any]:
        return sorted_distinct(value)

    @field_validator("learning_rate")
    @classmethod
    def _a_range(cls, value: Any) -> Domain | None:
        if value is None:
            return None
        entry = entry_from_plain(value)
        if not isinstance(entry, Float | Choice):
            raise SpaceError(f"a range or a list of choices is wanted, but got {value!r}; fix it in [training] instead")
        check_bounds(LEARNING_RATE, entry)
        return entry

    @property
    def validation_attack(self) -> SecondObjective | None:
        """The attack on validation images that each trial undergoes, where robust accuracy is the second objective."""
        second = self.second_objective
        return second if second is not None and second.kind == "robust_accuracy" else None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        self._choose_defaults()
        if self.pruner == "pause" and self.sampler != "knowledge-gradient":
            raise StudyError(
                f'search.pruner: "pause" needs the model of search.sampler knowledge-gradient, got {self.sampler!r}; '
                "leave the pruner out, or take another one"
            )
        if self.sampler == "knowledge-gradient" and self.pruner not in ("pause", "none"):
            raise StudyError(
                f'search.pruner: with search.sampler knowledge-gradient it must be "pause" or "none", '
                f"but got {self.pruner!r}; take another sampler, tpe for example, or leave the pruner out"
            )
        if self.pruner == "wilcoxon" and self.seeds < WILCOXON_SEEDS:
            raise StudyError(
                f"search.seeds: must be >= {WILCOXON_SEEDS} for search.pruner wilcoxon, whose test can reach "
                f"p < {WILCOXON_P} only then, but got {self.seeds}"
            )
        if self.second_objective is None:
            return self
        for key, rule, held in (
            ("pruner", '"pause" or "none"', self.pruner in ("pause", "none")),
            ("sampler", "knowledge-gradient, tpe-gp, tpe, qmc, random or grid", self.sampler not in ("gp", "cma-es")),
            ("patience", "0: two objectives have no single best", self.patience == 0),
        ):
            if not held:
                raise StudyError(
                    f"search.{key}: with search.second_objective it must be {rule}, but got {getattr(self, key)!r}"
                )
        return self

    def _choose_defaults(self) -> None:
        """Defaults that depend on other keys; written into the model, so that they stand in the study's file."""
        sampler, pruner = self.sampler, self.pruner
        if "sampler" not in self.model_fields_set and pruner not in ("pause", "none"):
            sampler = "tpe-gp"
        if "pruner" not in self.model_fields_set:
            by_model, one_objective = sampler == "knowledge-gradient", self.second_objective is None
            if by_model and not one_objective:
                pruner = "pause"
            elif not by_model and one_objective:
                pruner = "predicted"
        first = 1 if self.min_epochs is None and pruner != "pause" else self.min_epochs
        object.__setattr__(self, "sampler", sampler)
        object.__setattr__(self, "pruner", pruner)
        object.__setattr__(self, "min_epochs", first)


class ConfirmSettings(Table):
    """The ``[confirm]`` table: how the winners are trained anew, on fresh seeds that all regularizers share.

    >>> ConfirmSettings().looks, ConfirmSettings(seeds=10).looks
    ((5, 8, 12, 20), (10,))
    """

    #: A fixed number of seeds for each winner. Without it winners are confirmed in rounds: their paired differences to
    #: the baseline are looked at after 5, 8, 12 and 20 seeds, and a regularizer that is decided is trained no more.
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None = None
    #: Differences of the metric on the test images inside +-margin do not matter: a regularizer is equivalent to the
    #: baseline once its interval lies inside. Without it none is. In the metric's unit; of the accuracy, a share.
    margin: Annotated[float, Field(gt=0, lt=math.inf)] | None = None
    #: What the primary comparison is of: "test_accuracy", which stands for the study's metric whatever that is, or an
    #: attack of [robustness] by its key there, or "corruptions", which need a fixed number of seeds.
    primary: str = TEST_ACCURACY

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds after which the confirmed runs are looked at; the last of them at most are trained."""
        return LOOKS if self.seeds is None else (self.seeds,)


class ResourceSettings(Table):
    """The ``[resources]`` table: what one trial gets. It does not change results and is not hashed."""

    #: Processors, and threads, of a trial.
    cpus: Annotated[int, Field(ge=1, le=10_000)] = 1
    #: A share of one GPU, or whole ones; 0 is none. "auto": GPUs where the cluster has any, each for one trial, or for
    #: up to four where one does not fill it; else none. See docs/lanes.md.
    gpus: float | Literal["auto"] = "auto"
    #: The kind of GPU, as Ray names it: "A100", "H100", "T4"; any where empty.
    accelerator_type: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    #: Memory in GB (10^9 bytes). Ray places no more trials on a node than fit; it does not stop one that takes more.
    memory_gb: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    #: Of the trials that fit on the cluster at most this share runs at a time, so that other studies go on, too.
    share: Fraction = 1.0
    #: So many runs train side by side in each trial, where they can, as one batched network: see docs/lanes.md. "auto"
    #: is 1 on a CPU and what pays on a GPU.
    lanes: int | Literal["auto"] = "auto"
    #: Which networks stay in the results directory: "winners", those of the confirmed runs; "none", so that later
    #: robustness tests train them again; or "all", those of the trials, too. `tune-reg check` says how large they are.
    keep_networks: Literal["winners", "none", "all"] = "winners"
    #: A run that reports no epoch for so long hangs: its process is ended, and it counts as failed. Where several train
    #: side by side, they have so many times as long.
    epoch_timeout_s: Annotated[float, Field(gt=0, le=1e8)] = 3600.0
    #: A run whose process or machine failed goes on from its newest checkpoint, so many times. An exception that the
    #: run would raise again ends it at once.
    max_failures: Annotated[int, Field(ge=0, le=1000)] = 3

    @field_validator("gpus", mode="before")
    @classmethod
    def _a_number_of_gpus(cls, value: Any) -> Any:
        if value == "auto":
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_GPUS:
            raise ValueError(f'must be a number from 0 to {_MOST_GPUS}, or "auto", but got {value!r}')
        return float(value)

    @field_validator("lanes", mode="before")
    @classmethod
    def _a_number_of_lanes(cls, value: Any) -> Any:
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f'must be a whole number of at least 1, or "auto", but got {value!r}')
        if value != "auto" and value > _MOST_LANES:
            raise ValueError(f'must be <= {_MOST_LANES}, or "auto", but got {value!r}')
        return value

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        if self.gpus == "auto":
            return self
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise StudyError(f"resources.gpus: must be a share below 1 or a whole number, but got {self.gpus:g}")
        if 0 < self.gpus < _SMALLEST_SHARE:
            raise StudyError(
                f"resources.gpus: must be 0 or at least {_SMALLEST_SHARE}, so many trials share one GPU, "
                f"but got {self.gpus:g}"
            )
        if self.accelerator_type and not self.gpus:
            raise StudyError(
                f"resources.accelerator_type: {self.accelerator_type!r} is a kind of GPU, but resources.gpus is 0; "
                "say how many"
            )
        return self

    @property
    def least_gpus(self) -> float:
        """GPUs that a trial cannot do without.

        >>> [ResourceSettings(**given).least_gpus for given in ({}, {"gpus": 0.5}, {"accelerator_type": "H100"})]
        [0.0, 0.5, 1.0]
        """
        if self.gpus == "auto":
            return 1.0 if self.accelerator_type else 0.0
        return self.gpus


def sorted_distinct(values: list[Any]) -> list[Any]:
    """The values in rising order; ``ValueError`` where two are equal.

    >>> sorted_distinct([1.0, 0.25])
    [0.25, 1.0]
    """
    if len(set(values)) != len(values):
        raise ValueError(f"must differ, but got {values}")
    return sorted(values)
