"""The declared study: what is compared, on which data, at which budget. Validated, written out, hashed.

A study is a TOML file or, in Python, ``Study(...)`` with the same keys. Two studies that say the same have equal
hashes, and the hash names the results: a results directory belongs to one study.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

import tomli_w
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from torch import nn

from search_spaces import Choice, DefinedByRun, Float, SearchSpace, entry_to_plain
from tune_reg.data import data_name, describe
from tune_reg.errors import DataError, StudyError, TuneRegError, did_you_mean
from tune_reg.evaluation.attacks import ATTACKS
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.models import check as check_model
from tune_reg.models import supports_dropout
from tune_reg.regularizers import ENGINE_HOOKS
from tune_reg.regularizers.kept import register_kept_in
from tune_reg.storage.paths import expanded
from tune_reg.store import Results
from tune_reg.study.data_fit import unfit_settings
from tune_reg.study.error_lines import error_lines, short
from tune_reg.study.learning_rate import learning_rate_prior
from tune_reg.study.method import Method, method
from tune_reg.study.settings import (
    MOST_SIZES,
    TEST_ACCURACY,
    ConfirmSettings,
    Fraction,
    MetricSettings,
    PositiveInt,
    ResourceSettings,
    SearchSettings,
    Table,
    TrackerName,
    sorted_distinct,
)
from tune_reg.training.run import Protocol, TrainingSet
from tune_reg.training.settings import TrainingSettings
from tune_reg.user_function import import_function, name_of
from tune_reg.user_objects import OBJECTS, look_in, without_digest

#: The metrics that tune-reg's own training reports.
REPORTED: Final = ("accuracy", "loss")
_MOST_CONFIRMED: Final = 200_000
#: Of any list, and of any number: beyond them a study would be read for minutes, or arithmetic fails.
_LONGEST: Final = 1000
_LARGEST: Final = 2**63


def _refuse_beyond_reason(key: str, value: Any) -> None:
    """``StudyError`` with the key of a list or a number that no study can mean."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            _refuse_beyond_reason(f"{key}.{name}" if key else str(name), entry)
    elif isinstance(value, list | tuple | Choice):
        entries = value.values if isinstance(value, Choice) else value
        if len(entries) > _LONGEST:
            raise StudyError(f"{key}: must have at most {_LONGEST} entries, but has {len(entries):,}")
        for entry in entries:
            _refuse_beyond_reason(key, entry)
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        raise StudyError(f"{key}: must be a number below 2^63, but is about 2^{value.bit_length()}")


def _joined(entry: Any) -> str:
    """One entry of a list of regularizers, a name or several names, as the name of its method."""
    names = entry if isinstance(entry, list | tuple) else [entry]
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"each must be a name or a list of names, but got {short(entry)}")
    return "+".join(names)


def _names_of_objects(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The names of what a study is given in Python in place of names: of a function or a class, and of data."""
    names: dict[str, Any] = {}
    model = keys.get("model")
    if isinstance(model, nn.Module):
        raise StudyError(
            f"model: must be a function or a class that makes a new network for each run, but got a network, a "
            f"{type(model).__name__}; give its class, or a function that returns a new one"
        )
    if callable(model):
        names["model"] = name_of(model, "model")
    if "dataset" in keys:
        try:
            names["dataset"] = data_name(keys["dataset"])
        except DataError as error:
            raise StudyError(f"dataset: {error}") from None
    return names


def _refuse_names_of_one_file(names: Iterable[Any]) -> None:
    """``ValueError`` where two names would be one file on systems that do not tell capitals or accents."""
    seen: dict[str, str] = {}
    for name in map(str, names):
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise ValueError(
                f"{other!r} and {name!r} differ in capitals or accents alone, and some systems write both into "
                "the same files; rename one"
            )


def _required(value: str, info: ValidationInfo) -> str:
    """A key that only a study with a trainer can be without; ``ValueError`` in any other one."""
    if info.data.get("trainer") == "":
        raise ValueError("is required")
    return value


class Study(Table):
    """The declared study, without the means to run it: ``tune_reg.Study`` adds these, and describes every key."""

    #: What the study is called in its report and in labels.
    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\n\r\t]+$")]
    #: A function of the user's own that trains each run, as ``package.module:function``; else the engine trains them.
    trainer: str = ""
    #: How many training examples a trainer's own data have, with those that validate; where ``dataset`` names none.
    examples: PositiveInt | None = None
    #: The name of a data set, or "package.module:function" for one of your own.
    dataset: Annotated[str, Field(validate_default=True)] = ""
    #: The name of a model, or "package.module:function" for one of your own.
    model: Annotated[str, Field(validate_default=True)] = ""
    #: What is compared: a list of regularizers, or a table of methods with their spaces.
    regularizers: dict[str, Method]
    #: The method that the others are compared with; the first where not given.
    baseline: str = ""
    #: Shares of the training images; winners are confirmed at each.
    fractions: Annotated[list[Fraction], Field(min_length=1, max_length=MOST_SIZES)] = [1.0]  # noqa: RUF012 - pydantic copies defaults
    #: In place of fractions: so many training images of each class.
    images_per_class: Annotated[list[PositiveInt], Field(max_length=MOST_SIZES)] = []  # noqa: RUF012
    #: "validation" picks strengths on images held out of the training data; "paper" on the test set, as the papers did.
    protocol: Protocol = "validation"
    #: From it come the split, and the seeds of the searches and of the confirmed runs.
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    #: Where every run can be followed while it trains, beside the tables: see "Live tracking". Each must be installed.
    tracking: Annotated[list[TrackerName], Field(max_length=MOST_SIZES)] = []  # noqa: RUF012
    metric: MetricSettings = MetricSettings()
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings = SearchSettings()
    confirm: ConfirmSettings = ConfirmSettings()
    robustness: RobustnessSettings = RobustnessSettings()
    resources: ResourceSettings = ResourceSettings()

    def __init__(self, **keys: Any) -> None:
        keys |= _names_of_objects(keys)
        _refuse_beyond_reason("", keys)
        try:
            super().__init__(**keys)
        except ValidationError as error:
            raise StudyError("\n".join(error_lines(error, Study))) from None

    @field_validator("regularizers", mode="before")
    @classmethod
    def _methods(cls, value: Any) -> dict[str, Method]:
        if isinstance(value, list | tuple):
            names = [_joined(entry) for entry in value]
            if len(set(names)) != len(names):
                raise ValueError(f"must differ, but got {value!r}")
            value = {name: {} for name in names}
        if not isinstance(value, Mapping) or not value:
            rule = "a list of names or a table of spaces is wanted, with at least one regularizer"
            raise ValueError(f"{rule}, but got {short(value)}")
        if len(value) > _LONGEST:
            raise ValueError(f"at most {_LONGEST} can be compared in one study, but got {len(value):,}")
        _refuse_names_of_one_file(value)
        return {
            str(name): table if isinstance(table, Method) else method(str(name), table) for name, table in value.items()
        }

    @field_validator("trainer", mode="before")
    @classmethod
    def _known_trainer(cls, value: Any) -> Any:
        try:
            name = name_of(value, "trainer") if callable(value) else value
            if name and isinstance(name, str):
                import_function(name, "trainer")
        except TuneRegError as error:
            raise ValueError(error) from None
        return name

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return _required(value, info)
        try:
            describe(value)
        except TuneRegError as error:
            raise ValueError(error) from None
        return value

    @field_validator("model")
    @classmethod
    def _known_model(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return _required(value, info)
        try:
            check_model(value)
        except TuneRegError as error:
            raise ValueError(error) from None
        return value

    @field_validator("fractions", "images_per_class")
    @classmethod
    def _distinct(cls, value: list[Any]) -> list[Any]:
        return sorted_distinct(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        baseline = self.baseline or next(iter(self.regularizers))
        if baseline not in self.regularizers:
            raise StudyError(
                f"baseline: {baseline!r} is none of the study's regularizers: {', '.join(self.regularizers)}"
            )
        object.__setattr__(self, "baseline", baseline)
        self._check_trainer()
        self._check_sizes()
        self._check_cost()
        self._check_primary()
        self._check_metric()
        if self.search.min_epochs is not None and self.search.min_epochs > self.training.epochs:
            raise StudyError(
                f"search.min_epochs: must be <= training.epochs ({self.training.epochs}), "
                f"but got {self.search.min_epochs}"
            )
        if self._held_out() >= self.n_train:
            raise StudyError(
                f"training.validation: must leave images to train on, but got {self.training.validation} "
                f"of {self.n_train}"
            )
        if self.dataset:
            self._refuse_what_the_data_do_not_allow()
        for name, declared in self.regularizers.items():
            self._check_fit(name, declared)
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

    def _check_trainer(self) -> None:
        """Refuse what goes with no trainer, or not with this one's data."""
        if not self.trainer:
            if self.examples is not None:
                raise StudyError("examples: is for the data of a trainer of one's own; drop it, or give trainer")
            return
        if self.model:
            raise StudyError(f"model: a trainer makes its own, but got {self.model!r}; drop one of them")
        if self.dataset:
            if self.examples is not None:
                raise StudyError(f"examples: dataset {self.dataset!r} says how many there are; drop one of them")
            return
        if self.examples is None:
            raise StudyError(
                "examples: is required with a trainer that brings its own data: how many there are to train on, with "
                "those that validate; or give dataset"
            )
        needs_data = {
            "images_per_class": bool(self.images_per_class),
            'protocol: "paper"': self.protocol == "paper",
            "robustness": not self.robustness.empty,
            "search.second_objective: robust_accuracy": self.search.validation_attack is not None,
        }
        for key, is_given in needs_data.items():
            if is_given:
                raise StudyError(
                    f"{key}: needs images that tune-reg knows; give dataset in place of examples, or drop it"
                )

    def _check_sizes(self) -> None:
        """Which training sets there are, and on which of them strengths are searched; the largest by default."""
        key = "images_per_class" if self.images_per_class else "fractions"
        if self.images_per_class and self.fractions != [1.0]:
            raise StudyError("fractions: stands in place of images_per_class, but got both; drop one of them")
        other = "fractions" if self.images_per_class else "images_per_class"
        if getattr(self.search, other):
            raise StudyError(f"search.{other}: the study gives {key}; give search.{key} in its place")
        if self.images_per_class:
            info = describe(self.dataset)
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

    def _check_cost(self) -> None:
        """Refuse more runs than a plan can list."""
        sizes = len(self.images_per_class or self.fractions)
        seeds = self.most_seeds
        confirmed = seeds * sizes * len(self.regularizers)
        if confirmed > _MOST_CONFIRMED:
            raise StudyError(
                f"confirm.seeds: {seeds:,} seeds on {sizes} training sets of {len(self.regularizers)} "
                f"regularizers are {confirmed:,} confirmed runs; at most {_MOST_CONFIRMED:,} are possible: take fewer"
            )

    def _check_primary(self) -> None:
        """Refuse a primary comparison of what is not measured, and one in rounds of what a later stage measures."""
        primary, attacks = self.confirm.primary, [attack.key for attack in ATTACKS]
        if primary == TEST_ACCURACY:
            return
        if primary not in (*attacks, "corruptions"):
            hint = did_you_mean(primary, [TEST_ACCURACY, *attacks, "corruptions"])
            raise StudyError(f"confirm.primary: nothing measured is called {primary!r}{hint}")
        if not getattr(self.robustness, primary):
            raise StudyError(f"confirm.primary: {primary} is not tested; give robustness.{primary}, or another primary")
        if self.confirm.seeds is None:
            raise StudyError(
                f"confirm.primary: rounds are decided by {TEST_ACCURACY}, but the primary comparison is of {primary}; "
                "give confirm.seeds, a fixed number of seeds"
            )

    def _check_metric(self) -> None:
        """Refuse what only accuracies allow where the metric is another one."""
        metric, margin = self.metric.metric, self.confirm.margin
        if metric.is_accuracy:
            if margin is not None and margin >= 1:
                raise StudyError(f"confirm.margin: must be less than 1, but got {margin}")
            return
        if not self.trainer and metric.name not in REPORTED:
            raise StudyError(
                f"metric.name: {metric.name} is reported by no training of tune-reg's own, which reports "
                f"{' and '.join(REPORTED)}; give a trainer that reports it"
            )
        if self.search.second_objective is not None:
            raise StudyError(
                f"search.second_objective: it decides among trials within one standard error of an accuracy, which "
                f"metric {metric.name} has not; drop one of them"
            )

    def _check_grid(self) -> None:
        """Refuse a grid over ranges."""
        for regularizer in self.regularizers:
            for name, domain in self.searched_space(regularizer).domains.items():
                if not isinstance(domain, Choice):
                    raise StudyError(
                        f"search.sampler: grid needs a list of choices for each hyperparameter that is searched, but "
                        f"{name} of {regularizer} has the range {domain}; give a list or take another sampler"
                    )

    def _refuse_what_the_data_do_not_allow(self) -> None:
        unfit = unfit_settings(
            describe(self.dataset),
            model=self.model,
            methods={name: declared.kind for name, declared in self.regularizers.items()},
            training=self.training,
            search=self.search,
            robustness=self.robustness,
        )
        for line in unfit:
            raise StudyError(line)

    def _check_fit(self, name: str, declared: Method) -> None:
        """Refuse a method that the model, the data set or the optimizer cannot serve."""
        kind = declared.kind
        if kind.fills("dropout") and not self.trainer and not supports_dropout(self.model):
            raise StudyError(
                f"regularizers.{name}: dropout needs a model with dropout layers, but {self.model} has none"
            )
        if self.trainer and any(kind.fills(hook) for hook in ENGINE_HOOKS):
            raise StudyError(
                f"regularizers.{name}: changes whole steps or mixes examples, which only tune-reg's own engine does; "
                "with a trainer, drop it"
            )
        if kind.fills("loss") and self.dataset and describe(self.dataset).classes < 2:
            raise StudyError(f"regularizers.{name}: needs at least 2 classes, but {self.dataset} has one")
        used = declared.space.get("optimizer", self.training.optimizer)
        if kind.fills("sparsity") and used != "sgd":
            raise StudyError(
                f"regularizers.{name}: masks the whole update, which only the optimizer sgd allows, but got {used!r}"
            )

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a study file. ``StudyError`` names the file, the key or line, the rule and the value."""
        path = expanded(path)
        try:
            text = path.read_text(encoding="utf-8-sig")  # editors of Windows begin a file with a byte order mark
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
        try:
            keys = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            end = f"at line {text.count(chr(10)) + 1}, the end of the document"
            fault = str(error).replace("at end of document", end)
            raise StudyError(f"{path}: is not valid TOML: {fault}") from None
        look_in(path.parent / OBJECTS)  # what the study was given in Python, where the file is that of its results
        register_kept_in(path.parent / OBJECTS)
        try:
            return cls(**keys)
        except StudyError as error:
            raise StudyError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None

    def with_prior(self, results: Results, *, best: int = 3) -> Self:
        """The study that also begins with the ``best`` complete trials of each of its regularizers in ``results``.

        Of each trial the parameters are taken that this study searches and whose values lie inside its ranges;
        another data set, model or training set is no hindrance. These starting points come after those that the study
        gives, and count as trials.
        """
        if self.search.sampler == "grid":
            raise StudyError(
                '--prior: with search.sampler "grid", which tries every combination in an order of its own, it '
                "would mean nothing; drop it, or take another sampler"
            )
        methods = {}
        for name, declared in self.regularizers.items():
            domains = declared.space.domains
            start = list(declared.space.start)
            for row in results.best_trials(name, best):
                inside = {key: value for key, value in row.items() if key in domains and domains[key].contains(value)}
                if inside and inside not in start and declared.space.admits(inside):
                    start.append(inside)
            methods[name] = Method(declared.regularizer, declared.space.starting(start))
        return self.model_copy(update={"regularizers": methods})

    def to_plain(self) -> dict[str, Any]:
        """The study as plain tables, every default written out; ``Study(**plain)`` gives it back."""
        # So that a study that was begun before there was a choice goes on.
        absent = {key for key in ("trainer", "examples", "dataset", "model") if not getattr(self, key)}
        plain = self.model_dump(exclude={"regularizers", "search", *absent})
        confirm = plain["confirm"] = self.confirm.model_dump(exclude_none=True)
        if confirm["primary"] == TEST_ACCURACY:
            del confirm["primary"]  # so that a study that was begun before there was a choice goes on
        if plain["training"]["validate_every"] == 1:
            del plain["training"]["validate_every"]  # so that a study that was begun before there was a choice goes on
        if not self.tracking:
            del plain["tracking"]  # so that a study that was begun before there was a choice goes on
        if self.metric == MetricSettings():
            del plain["metric"]  # so that a study that was begun before there was a choice goes on
        for key in ("autoattack_linf", "autoattack_l2", "autoattack_images"):
            if plain["robustness"][key] == RobustnessSettings.model_fields[key].default:
                del plain["robustness"][key]  # so that a study that was begun before there was a choice goes on
        search = self.search.model_dump(exclude={"learning_rate"}, exclude_none=True)
        for key, default in (("prior", True), ("budget", "epochs"), ("pick", "trial")):
            if search[key] == default:
                del search[key]  # so that a study that was begun before there was a choice goes on
        if self.search.learning_rate is not None:
            search["learning_rate"] = entry_to_plain(self.search.learning_rate)
        return {
            **plain,
            "search": search,
            "regularizers": {name: declared.to_plain(name) for name, declared in self.regularizers.items()},
        }

    def to_toml(self) -> str:
        """The study as a file that ``from_toml`` reads."""
        return tomli_w.dumps(self.to_plain())

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that name everything that can change the results."""
        plain = self.to_plain()
        del plain["resources"]
        # Code that has changed is noticed by its digest, and need not make another study.
        plain |= {key: without_digest(value) for key, value in plain.items() if isinstance(value, str)}
        plain.pop("tracking", None)
        # A directory that was begun before methods shared values goes on without, as ``as_begun`` has it.
        plain["search"].pop("shared_values", None)
        if plain["training"]["precision"] == "float32":
            del plain["training"]["precision"]  # a study that was begun before there was a choice goes on
        plain["functions"] = [m.space.digest for m in self.regularizers.values() if isinstance(m.space, DefinedByRun)]
        as_floats = json.loads(json.dumps(plain), parse_int=float)  # 1 and 1.0 say the same
        return hashlib.sha256(json.dumps(as_floats, sort_keys=True).encode()).hexdigest()[:16]

    def images(self, fraction: float) -> int:
        """How many training images the share ``fraction`` of them is."""
        return max(1, round((self.n_train - self._held_out()) * fraction))

    @property
    def n_train(self) -> int:
        """How many training images there are, with those that validate."""
        return describe(self.dataset).n_train if self.dataset else self.examples or 0

    @property
    def training_sets(self) -> list[TrainingSet]:
        """The parts of the training images that winners are confirmed on, the smallest first."""
        if not self.images_per_class:
            return [TrainingSet(fraction) for fraction in self.fractions]
        return [self._per_class(count) for count in self.images_per_class]

    @property
    def searched_sets(self) -> list[TrainingSet]:
        """The training sets on which strengths are searched, the smallest first."""
        searched = self.search.images_per_class if self.images_per_class else self.search.fractions
        return [size for size in self.training_sets if (size.images_per_class or size.fraction) in searched]

    def _per_class(self, count: int) -> TrainingSet:
        info = describe(self.dataset)
        return TrainingSet(count * info.classes / (info.n_train - self._held_out()), count)

    @property
    def most_seeds(self) -> int:
        """On how many seeds a winner is confirmed at most; alone it is compared with nothing, and has one round."""
        return self.confirm.looks[-1 if len(self.regularizers) > 1 else 0]

    @property
    def test_images(self) -> int | None:
        """How many images a confirmed run is tested on; None where a trainer brings its own."""
        return describe(self.dataset).n_test if self.dataset else None

    @property
    def validation_images(self) -> int:
        """How many images a trial is scored on; in protocol "paper" these are the test images."""
        return self._held_out() or describe(self.dataset).n_test

    def _held_out(self) -> int:
        return max(1, round(self.n_train * self.training.validation)) if self.protocol == "validation" else 0

    def searched_space(self, name: str) -> SearchSpace:
        """What is searched under ``name``: the method's space, and the learning rate where that is searched, too."""
        space, learning_rate = self.regularizers[name].space, self.search.learning_rate
        if learning_rate is None or "learning_rate" in space:
            return space
        usual = self.training.learning_rate
        start = {"learning_rate": usual} if learning_rate.contains(usual) else {}
        wider = space.extended("learning_rate", learning_rate, start=start)
        prior = learning_rate_prior(self.training, learning_rate) if isinstance(learning_rate, Float) else None
        return wider if prior is None else wider.expecting({"learning_rate": prior})
