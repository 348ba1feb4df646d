"""The study: what is compared, on which data, at which budget. Validated, written out, hashed.

A study is a TOML file or, in Python, ``Study(...)`` with the same keys. Two studies that say the same have the
same hash, and the hash names the results: a directory belongs to one study.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from search_spaces import Choice, DefinedByRun, Domain, Float, SearchSpace, SpaceError, entry_from_plain, entry_to_plain
from tune_reg import data, models
from tune_reg.errors import StudyError, TuneRegError, did_you_mean
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.methods import Method, check_bounds, method
from tune_reg.places import Place
from tune_reg.regularizers import Hyperparameter
from tune_reg.store import Results
from tune_reg.training.run import Protocol, TrainingSet
from tune_reg.training.settings import TrainingSettings

PositiveInt = Annotated[int, Field(ge=1)]
SamplerName = Literal["tpe-gp", "tpe", "gp", "cma-es", "qmc", "random", "grid"]
PrunerName = Literal["predicted", "asha", "hyperband", "median", "wilcoxon", "none"]
Fraction = Annotated[float, Field(gt=0, le=1)]

#: Over fewer seeds the signed-rank test cannot reach this p, whatever the values.
WILCOXON_SEEDS = 4
WILCOXON_P = 0.1

#: The learning rate is no regularizer's own, but can be searched beside every strength.
LEARNING_RATE = Hyperparameter("learning_rate", 0.1, "step size", low=1e-12)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class SecondObjective(_Table):
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


class SearchSettings(_Table):
    """The ``[search]`` table: the budget of each regularizer and how it is spent."""

    #: Configurations tried for each regularizer at each searched fraction.
    trials: Annotated[int, Field(ge=1)] = 16
    #: Seeds that a configuration is scored on, one after the other, the same for all; the value is the mean. The
    #: pruner stops a configuration after any of them, as it does after an epoch.
    seeds: Annotated[int, Field(ge=1, le=64)] = 1
    #: "tpe-gp": TPE, and a Gaussian process that has every second turn where an epoch takes a second or more. "grid"
    #: tries every combination of spaces that are choices only, and no more trials than there are.
    sampler: SamplerName = "tpe-gp"
    #: "predicted" is asynchronous successive halving by predicted final values, doubtful ones in the trial's favour;
    #: "asha" the same by the values at hand, "hyperband" several of it; "median" stops what is worse than the
    #: median of the finished trials at the same epoch; "wilcoxon" stops what its seeds so far show to be worse than
    #: the best; "none" trains every trial to the end.
    pruner: PrunerName = "predicted"
    #: At each rung one trial in so many goes on.
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    #: The first rung.
    min_epochs: Annotated[int, Field(ge=1)] = 1
    #: A search ends early once so many trials, in the order in which they were asked for, have ended without a better
    #: one; 0 is never.
    patience: Annotated[int, Field(ge=0)] = 0
    #: Looked for beside validation accuracy. The winner is then the best in it among the trials within one standard
    #: error of the highest accuracy.
    second_objective: SecondObjective | None = None
    #: A range, searched with every strength; without it ``training.learning_rate`` holds.
    learning_rate: Any = None
    #: Fractions at which strengths are searched; the largest of the study's alone where not given.
    fractions: list[Fraction] = []
    #: The same where the study gives ``images_per_class``.
    images_per_class: list[PositiveInt] = []

    @field_validator("fractions", "images_per_class")
    @classmethod
    def _distinct(cls, value: list[Any]) -> list[Any]:
        return _sorted(value)

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
    def attack(self) -> dict[str, Any] | None:
        """What a trial's network is attacked with on validation images, where that is the second objective."""
        second = self.second_objective
        if second is None or second.kind != "robust_accuracy":
            return None
        return second.model_dump(include={"attack", "epsilon", "images"})

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.pruner == "wilcoxon" and self.seeds < WILCOXON_SEEDS:
            raise StudyError(
                f"search.seeds: must be >= {WILCOXON_SEEDS} for search.pruner wilcoxon, whose test can reach "
                f"p < {WILCOXON_P} only then, but got {self.seeds}"
            )
        if self.second_objective is None:
            return self
        for key, rule, held in (
            ("pruner", '"none": what a stopped trial would come to in the second is not known', self.pruner == "none"),
            ("sampler", "tpe-gp, tpe, qmc, random or grid", self.sampler not in ("gp", "cma-es")),
            ("patience", "0: two objectives have no single best", self.patience == 0),
        ):
            if not held:
                raise StudyError(
                    f"search.{key}: with search.second_objective it must be {rule}, but got {getattr(self, key)!r}"
                )
        return self


class ConfirmSettings(_Table):
    """The ``[confirm]`` table: how the winners are trained anew."""

    #: Fresh seeds for each winner, the same for all regularizers.
    seeds: Annotated[int, Field(ge=1)] = 5


class ResourceSettings(_Table):
    """The ``[resources]`` table: what one trial gets. It does not change results and is not hashed."""

    cpus: Annotated[int, Field(ge=1)] = 1
    #: A share of one GPU, or whole ones.
    gpus: Annotated[float, Field(ge=0)] = 0.0
    #: The kind of GPU, as Ray names it: "A100", "H100", "T4"; any where empty.
    accelerator_type: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    #: Memory in GB (10^9 bytes). Ray places no more trials on a node than fit; it does not stop one that takes more.
    memory_gb: Annotated[float, Field(ge=0)] = 0.0
    #: So many runs train side by side in each trial, where they can, as one batched network: see docs/lanes.md. "auto"
    #: is 1 on a CPU and what pays on a GPU.
    lanes: int | Literal["auto"] = 1
    #: A run that reports no epoch for so long hangs: its process is ended, and it counts as failed. Where several train
    #: side by side, they have so many times as long.
    epoch_timeout_s: Annotated[float, Field(gt=0)] = 3600.0
    #: A run that failed goes on from its newest checkpoint, so many times.
    max_failures: Annotated[int, Field(ge=0)] = 3

    @field_validator("lanes", mode="before")
    @classmethod
    def _a_number_of_lanes(cls, value: Any) -> Any:
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f'must be a whole number of at least 1, or "auto", but got {value!r}')
        return value

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise StudyError(f"resources.gpus: must be a share below 1 or a whole number, but got {self.gpus:g}")
        if self.accelerator_type and not self.gpus:
            raise StudyError(
                f"resources.accelerator_type: {self.accelerator_type!r} is a kind of GPU, but resources.gpus is 0; "
                "say how many"
            )
        return self


@dataclass(frozen=True)
class Task:
    """One search: a regularizer at a training fraction, over a space."""

    regularizer: str
    fraction: float
    space: SearchSpace
    trials: int
    #: The regularizers behind the name, joined by ``+``; the name itself where not given.
    parts: str = ""
    images_per_class: int | None = None

    @property
    def training_set(self) -> TrainingSet:
        """The part of the training images that it is searched on."""
        return TrainingSet(self.fraction, self.images_per_class)

    @property
    def name(self) -> str:
        """The name of its Optuna study in the journal.

        >>> Task("adadecay", 0.25, SearchSpace(), 1).name
        'adadecay at 0.25'
        """
        return f"{self.regularizer} at {self.training_set.name}"


class Study(_Table):
    """A comparison of regularizers on one data set and model.

    ``regularizers``: names, or a mapping of names to search spaces (a ``SearchSpace``, or a mapping of
    hyperparameters to domains, ``ray.tune`` domains, lists of choices, schedules or fixed values; or a function that
    takes an Optuna trial and returns hyperparameters). What a space does not name is searched over the regularizer's
    default space. A name is that of a regularizer, or any name whose table says ``regularizer = NAME`` or
    ``regularizer = [NAME, NAME]``, for several at once. ``baseline``: the name that the others are compared with;
    the first where not given. Raises ``StudyError`` with a line for each mistake.

    >>> from search_spaces import loguniform
    >>> study = Study(name="wd", dataset="digits", model="nn-2",
    ...               regularizers={"weight-decay": {"weight_decay": loguniform(1e-5, 1e-1)}})
    >>> study.baseline, [task.name for task in study.tasks()]
    ('weight-decay', ['weight-decay at 1'])
    """

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\n\r\t]+$")]
    dataset: str
    model: str
    regularizers: dict[str, Method]
    baseline: str = ""
    #: Shares of the training images; winners are confirmed at each.
    fractions: Annotated[list[Fraction], Field(min_length=1)] = [1.0]
    #: In place of fractions: so many training images of each class.
    images_per_class: list[PositiveInt] = []
    protocol: Protocol = "validation"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings = SearchSettings()
    confirm: ConfirmSettings = ConfirmSettings()
    robustness: RobustnessSettings = RobustnessSettings()
    resources: ResourceSettings = ResourceSettings()

    def __init__(self, **keys: Any) -> None:
        try:
            super().__init__(**keys)
        except ValidationError as error:
            raise StudyError("\n".join(_lines(error))) from None

    @field_validator("regularizers", mode="before")
    @classmethod
    def _methods(cls, value: Any) -> dict[str, Method]:
        if isinstance(value, list | tuple):
            names = ["+".join(name) if isinstance(name, list | tuple) else str(name) for name in value]
            if len(set(names)) != len(names):
                raise ValueError(f"must differ, but got {value!r}")
            value = {name: {} for name in names}
        if not isinstance(value, Mapping) or not value:
            rule = "a list of names or a table of spaces is wanted, with at least one regularizer"
            raise ValueError(f"{rule}, but got {value!r}")
        return {
            str(name): table if isinstance(table, Method) else method(str(name), table) for name, table in value.items()
        }

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, value: str) -> str:
        try:
            data.describe(value)
        except TuneRegError as error:
            raise ValueError(error) from None
        return value

    @field_validator("model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        try:
            models.check(value)
        except TuneRegError as error:
            raise ValueError(error) from None
        return value

    @field_validator("fractions", "images_per_class")
    @classmethod
    def _distinct(cls, value: list[Any]) -> list[Any]:
        return _sorted(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        baseline = self.baseline or next(iter(self.regularizers))
        if baseline not in self.regularizers:
            raise StudyError(
                f"baseline: {baseline!r} is none of the study's regularizers: {', '.join(self.regularizers)}"
            )
        object.__setattr__(self, "baseline", baseline)
        self._check_sizes()
        if self.search.min_epochs > self.training.epochs:
            raise StudyError(
                f"search.min_epochs: must be <= training.epochs ({self.training.epochs}), "
                f"but got {self.search.min_epochs}"
            )
        if self._held_out() >= data.describe(self.dataset).n_train:
            raise StudyError(
                f"training.validation: must leave images to train on, but got {self.training.validation} "
                f"of {data.describe(self.dataset).n_train}"
            )
        for name, own in self.regularizers.items():
            self._check_fit(name, own)
        if self.search.sampler == "grid":
            self._check_grid()
        smallest = self.training_sets[0]
        largest_batch = max(self.training.batch_sizes())
        if largest_batch > self.images(smallest.fraction):
            raise StudyError(
                f"training.batch_size: must be <= the images of the smallest training set "
                f"({self.images(smallest.fraction)}), but got {largest_batch}; lower it or take more images"
            )
        return self

    def _check_sizes(self) -> None:
        """Which training sets there are, and on which of them strengths are searched; the largest by default."""
        key = "images_per_class" if self.images_per_class else "fractions"
        if self.images_per_class and self.fractions != [1.0]:
            raise StudyError("fractions: stands in place of images_per_class, but got both; drop one of them")
        other = "fractions" if self.images_per_class else "images_per_class"
        if getattr(self.search, other):
            raise StudyError(f"search.{other}: the study gives {key}; give search.{key} in its place")
        if self.images_per_class:
            info = data.describe(self.dataset)
            most = (info.n_train - self._held_out()) // info.classes
            if self.images_per_class[-1] > most:
                raise StudyError(
                    f"images_per_class: must be <= {most}, the images left for training divided by the classes, "
                    f"but got {self.images_per_class[-1]}"
                )
        all_sizes = getattr(self, key)
        searched = getattr(self.search, key) or [max(all_sizes)]
        outside = [size for size in searched if size not in all_sizes]
        if outside:
            raise StudyError(f"search.{key}: each must be one of {key} {all_sizes}, but got {outside}")
        object.__setattr__(self, "search", self.search.model_copy(update={key: searched}))

    def _check_grid(self) -> None:
        """Refuse a grid over ranges."""
        for task in self.tasks():
            for name, domain in task.space.domains.items():
                if not isinstance(domain, Choice):
                    raise StudyError(
                        f"search.sampler: grid needs a list of choices for each hyperparameter that is searched, but "
                        f"{name} of {task.regularizer} has the range {domain}; give a list or take another sampler"
                    )

    def _check_fit(self, name: str, own: Method) -> None:
        """Refuse a method that the model, the data set or the optimizer cannot serve."""
        kind = own.kind
        if kind.fills("dropout") and not models.supports_dropout(self.model):
            raise StudyError(
                f"regularizers.{name}: dropout needs a model with dropout layers, but {self.model} has none"
            )
        if kind.fills("loss") and data.describe(self.dataset).classes < 2:
            raise StudyError(f"regularizers.{name}: needs at least 2 classes, but {self.dataset} has one")
        used = own.space.get("optimizer", self.training.optimizer)
        if kind.fills("sparsity") and used != "sgd":
            raise StudyError(
                f"regularizers.{name}: masks the whole update, which only the optimizer sgd allows, but got {used!r}"
            )

    @classmethod
    def from_toml(cls, path: str | Path) -> Study:
        """Read a study file. ``StudyError`` names the file, the key or line, the rule and the value."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
        try:
            keys = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            end = f"at line {text.count(chr(10)) + 1}, the end of the document"
            fault = str(error).replace("at end of document", end)
            raise StudyError(f"{path}: is not valid TOML: {fault}") from None
        try:
            return cls(**keys)
        except StudyError as error:
            raise StudyError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None

    def run(
        self,
        directory: str | Place,
        *,
        address: str | None = None,
        data: str | Path | None = None,
        plugins: Sequence[str | Path] = (),
    ) -> Results:
        """Search, confirm, test and attack into ``directory``; what is done there already is not done again.

        ``address``: of a Ray cluster; None uses a Ray that is running in this process, or starts one here.
        ``data``: the data root. ``plugins``: files that register the study's own regularizers.
        """
        from tune_reg.search.launch import run_study

        root = Path(data) if data else None
        return run_study(self, directory, address=address, data_root=root, plugins=[Path(path) for path in plugins])

    def with_prior(self, results: Results, *, best: int = 3) -> Study:
        """The study that also begins with the ``best`` complete trials of each of its regularizers in ``results``.

        Of their parameters those are taken that are searched here and lie inside; another data set, model or training
        set is no hindrance. They come after the study's own starting points and count as trials.
        """
        methods = {}
        for name, own in self.regularizers.items():
            domains = own.space.domains
            start = list(own.space.start)
            for row in results.best_trials(name, best):
                inside = {key: value for key, value in row.items() if key in domains and domains[key].contains(value)}
                if inside and inside not in start:
                    start.append(inside)
            methods[name] = Method(own.regularizer, own.space.starting(start))
        return self.model_copy(update={"regularizers": methods})

    def to_plain(self) -> dict[str, Any]:
        """The study as plain tables, every default written out; ``Study(**plain)`` gives it back."""
        plain = self.model_dump(exclude={"regularizers", "search"})
        search = self.search.model_dump(exclude={"learning_rate"}, exclude_none=True)
        if self.search.learning_rate is not None:
            search["learning_rate"] = entry_to_plain(self.search.learning_rate)
        return {
            **plain,
            "search": search,
            "regularizers": {name: own.to_plain(name) for name, own in self.regularizers.items()},
        }

    def to_toml(self) -> str:
        """The study as a file that ``from_toml`` reads."""
        return tomli_w.dumps(self.to_plain())

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that name everything that can change the results."""
        plain = self.to_plain()
        del plain["resources"]
        if plain["training"]["precision"] == "float32":
            del plain["training"]["precision"]  # a study that was begun before there was a choice goes on
        plain["functions"] = [m.space.digest for m in self.regularizers.values() if isinstance(m.space, DefinedByRun)]
        same = json.loads(json.dumps(plain), parse_int=float)  # 1 and 1.0 say the same
        return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:16]

    def images(self, fraction: float) -> int:
        """Training images at ``fraction``."""
        return max(1, round((data.describe(self.dataset).n_train - self._held_out()) * fraction))

    @property
    def training_sets(self) -> list[TrainingSet]:
        """The parts of the training images that winners are confirmed on, the smallest first."""
        if not self.images_per_class:
            return [TrainingSet(fraction) for fraction in self.fractions]
        return [self._per_class(count) for count in self.images_per_class]

    @property
    def searched_sets(self) -> list[TrainingSet]:
        """Those of ``training_sets`` on which strengths are searched."""
        searched = self.search.images_per_class if self.images_per_class else self.search.fractions
        return [size for size in self.training_sets if (size.images_per_class or size.fraction) in searched]

    def _per_class(self, count: int) -> TrainingSet:
        info = data.describe(self.dataset)
        return TrainingSet(count * info.classes / (info.n_train - self._held_out()), count)

    @property
    def validation_images(self) -> int:
        """Images that a trial is scored on; in protocol "paper" these are the test images."""
        return self._held_out() or data.describe(self.dataset).n_test

    def _held_out(self) -> int:
        n = data.describe(self.dataset).n_train
        return max(1, round(n * self.training.validation)) if self.protocol == "validation" else 0

    def tasks(self) -> list[Task]:
        """The searches, regularizer by regularizer. Where nothing is searched, one trial says it all."""
        tasks = []
        for name, own in self.regularizers.items():
            space = own.space
            learning_rate = self.search.learning_rate
            if learning_rate is not None and "learning_rate" not in space:
                usual = self.training.learning_rate
                start = {"learning_rate": usual} if learning_rate.contains(usual) else {}
                space = space.extended("learning_rate", learning_rate, start=start)
            trials = self.search.trials if space.domains else 1
            if self.search.sampler == "grid":
                sizes = [len(domain.values) for domain in space.domains.values() if isinstance(domain, Choice)]
                trials = min(trials, math.prod(sizes))
            tasks += [
                Task(name, size.fraction, space, trials, own.regularizer, size.images_per_class)
                for size in self.searched_sets
            ]
        return tasks

    def confirmations(self) -> list[tuple[Task, TrainingSet, int]]:
        """(task whose winner it is, training set, seed) of each confirmed run.

        On each training set stands the winner of the largest searched one and, where it was searched itself, the
        winner there. Seeds are fresh (the search uses ``seed``) and the same for all regularizers.
        """
        largest = self.searched_sets[-1]
        return [
            (task, size, self.seed + 1 + i)
            for i in range(self.confirm.seeds)
            for size in self.training_sets
            for task in self.tasks()
            if task.training_set in (largest, size)
        ]


def _sorted(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError(f"must differ, but got {values}")
    return sorted(values)


def _lines(error: ValidationError) -> list[str]:
    """Each mistake as ``key: rule, but got value``."""
    lines = []
    for detail in error.errors():
        key = ".".join(str(part) for part in detail["loc"])
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, StudyError):  # names its key itself
            lines.append(str(cause))
        elif detail["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown key{did_you_mean(str(detail['loc'][-1]), _keys(detail['loc'][:-1]))}")
        elif detail["type"] == "missing":
            lines.append(f"{key}: is required")
        elif isinstance(cause, ValueError):
            lines.append(f"{key}: {cause}")
        else:
            rule = detail["msg"].removeprefix("Input ").replace("should be", "must be").replace("should", "must")
            lines.append(f"{key}: {rule[0].lower()}{rule[1:]}, but got {detail['input']!r}")
    return lines


def _keys(table: tuple[int | str, ...]) -> list[str]:
    model: Any = Study
    for part in table:
        model = model.model_fields[str(part)].annotation
    return list(model.model_fields)
