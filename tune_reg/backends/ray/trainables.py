"""Trainables: one run, an epoch a step, under a stock ``ray.tune.Tuner`` or under a study."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from ray import tune

from tune_reg.errors import StudyError
from tune_reg.evaluation import final_row, robustness_rows, validation_robustness
from tune_reg.storage.paths import to_path
from tune_reg.regularizers import load_plugin, regularizer
from tune_reg.backends.ray.preemption import Preempted, heeded
from tune_reg.study import Study
from tune_reg.training import Interrupted, Run, SerialEngine, TrainingSettings
from tune_reg.training import checkpoint as checkpoints

#: Keys of a trainable's config that are neither hyperparameters nor training settings. They hold for a whole run.
_RUN_KEYS: Final = ("dataset", "model", "fraction", "images_per_class", "seed", "protocol")


class RegularizerTrainable(tune.Trainable):
    """Trains one regularizer, one epoch a ``step``. Get a class for one regularizer from ``trainable_for``.

    ``config`` is flat: the regularizer's hyperparameters, the keys of a study's ``[training]`` table,
    ``dataset``, ``model``, ``fraction`` or ``images_per_class``, ``seed`` and ``data`` (the data root). What is
    missing has its default.
    Each result has ``val_accuracy``, ``val_loss``, ``train_loss``, ``learning_rate``, ``strength`` and ``epoch``;
    a run whose loss is not finite ends with ``diverged`` true. It uses a GPU where Tune gave it one, and one
    thread a CPU.

    A scheduler may change the config in the middle of a run, as ``PopulationBasedTraining`` does: weights and the
    optimizer's state come from the checkpoint, and strengths, learning rate, momentum, batch size and schedules
    are the new ones from the next epoch on. Which data, network, seed and optimizer is fixed: a checkpoint of
    another one is refused with a ``StudyError`` that names the key.
    """

    regularizer: ClassVar[str]
    engine: SerialEngine

    def setup(self, config: dict[str, Any]) -> None:
        """Build the run that ``config`` describes; ``StudyError`` names the key that is wrong."""
        self._start(run_from_config(self.regularizer, config), config.get("data"))

    def step(self) -> dict[str, Any]:
        """Train one epoch; where the run has ended already, its last epoch again."""
        row = self.engine.history[-1] if self.engine.finished else self.engine.train_epoch()
        return {**row, "diverged": self.engine.diverged, tune.result.DONE: self.engine.finished}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the run's state into Tune's checkpoint, and which run it is."""
        state = {**self.engine.state(), "fixed": _fixed(self.engine.run)}
        checkpoints.save(Path(checkpoint_dir), self.engine.epoch, state)

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Go on from Tune's checkpoint, of this run or of one that may hand over to it.

        Raises ``RuntimeError`` where no checkpoint in it is whole, ``StudyError`` where it is of another run.
        """
        state = checkpoints.load_newest(Path(checkpoint))
        if state is None:
            raise RuntimeError(f"{checkpoint} holds no whole checkpoint")
        for key, value in _fixed(self.engine.run).items():
            saved = state["fixed"][key]
            if saved != value:
                raise StudyError(
                    f"{key}: cannot change within a run, but the checkpoint has {saved!r} and the config {value!r}; "
                    "leave it out of what is mutated"
                )
        self.engine.load_state(state)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another configuration in the same process.

        Always from the start, because Tune does not say whether the configuration is of a new run or a changed one
        of a run under way. For the latter it calls ``load_checkpoint`` next.
        """
        self.setup(new_config)
        return True

    def _start(self, run: Run, data_root: str | None) -> None:
        device, _ = self._device()
        self.engine = SerialEngine(run, data_root=Path(data_root) if data_root else None, device=device)

    def _device(self) -> tuple[torch.device, float]:
        """Where Tune wants the trial to train, one thread a CPU, and the share of the device that is the trial's."""
        resources = self.trial_resources
        required = resources.required_resources if resources is not None else {}
        torch.set_num_threads(max(1, int(required.get("CPU", 1))))
        gpus = required.get("GPU", 0)
        return torch.device("cuda" if gpus > 0 else "cpu"), min(1.0, gpus or 1.0)


class StudyTrainable(RegularizerTrainable):
    """A run of a study. It keeps its own checkpoints in the study's directory, and tests itself at the end.

    So a run goes on from its newest whole checkpoint whoever starts it again: Tune after a lost actor, or a new
    driver, which knows nothing of the last one's Tune experiment.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Build the run, and go on from its newest checkpoint where there is one."""
        for plugin in config["plugins"]:
            load_plugin(Path(plugin))
        self._start(run_of(config), config["data"])
        self._directory = to_path(config["checkpoints"], answered=True)
        state = checkpoints.load_newest(self._directory)
        if state is not None:
            self.engine.load_state(state)
        self._reported = 0

    def step(self) -> dict[str, Any]:
        """Train one epoch and keep it; after the last one, make the tests that the run is to have.

        Raises ``Preempted`` where the machine is about to go, after the part of the epoch that was trained is kept.
        """
        engine = self.engine
        if not engine.finished:
            left = False
            with heeded() as notice:
                try:
                    engine.train_epoch(leave=notice)
                except Interrupted:
                    left = True
                try:
                    checkpoints.save(self._directory, engine.epoch, engine.state(), step=engine.step)
                except OSError as error:
                    # A full disk is not this run's failure: every other run would meet it, too.
                    return {"disk": f"{self._directory}: {error.strerror}", tune.result.DONE: True}
            if left:
                raise Preempted
        result: dict[str, Any] = {"rows": engine.history[self._reported :], "diverged": engine.diverged}
        self._reported = len(engine.history)
        if engine.finished and not engine.diverged and is_tested(self.config):
            result |= tested(engine, self.config)
        return {**result, tune.result.DONE: engine.finished}


def is_tested(config: Mapping[str, Any]) -> bool:
    """Whether a run of a study has tests to make when it is trained."""
    return config["stage"] != "search" or config["attack"] is not None


def tested(engine: SerialEngine, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the tests of a trained run say: on validation images in the search, on the test set afterwards."""
    if config["stage"] == "search":
        return {"robust_accuracy": validation_robustness(engine, **config["attack"])}
    robustness = {"robustness": robustness_rows(engine, **config["robustness"])}
    # In a list, because Tune flattens tables within a result.
    return {"final": [final_row(engine)], **robustness} if config["stage"] == "confirm" else robustness


def run_of(config: Mapping[str, Any]) -> Run:
    """The run that the config of a run of a study gives."""
    return Run(**{**config["run"], "training": TrainingSettings(**config["run"]["training"])})


@functools.cache
def trainable_for(name: str) -> type[RegularizerTrainable]:
    """The Trainable of a regularizer, to run under a stock ``ray.tune.Tuner``.

    >>> trainable_for("adadecay").__name__
    'AdaDecayTrainable'
    """
    kind = regularizer(name)
    title = kind.__name__.removesuffix("Regularizer")
    body = {"regularizer": kind.name, "__doc__": f"Trains {name}: {kind.formula}.", "__module__": __name__}
    return type(f"{title}Trainable", (RegularizerTrainable,), body)


WeightDecayTrainable = trainable_for("weight-decay")
AdaDecayTrainable = trainable_for("adadecay")
ResidualSmoothingTrainable = trainable_for("residual-smoothing")


def _fixed(run: Run) -> dict[str, Any]:
    """What must be the same for a run to go on from a checkpoint."""
    settings = run.settings
    return {
        **{key: getattr(run, key) for key in _RUN_KEYS},
        "validation": settings.validation,
        "optimizer": settings.optimizer,
    }


def run_from_config(name: str, config: Mapping[str, Any]) -> Run:
    """The run that a flat Tune config describes; ``StudyError`` where a key or a value is wrong."""
    settings = {key: value for key, value in config.items() if key in TrainingSettings.model_fields}
    run = {key: config[key] for key in _RUN_KEYS if key in config}
    params = {k: v for k, v in config.items() if k not in settings and k not in run and k != "data"}
    missing = [key for key in ("dataset", "model") if key not in config]
    if missing:
        raise StudyError(f"{missing[0]}: is required in a {name} config")
    try:
        # As a study of one method: the same keys, rules and messages.
        study = Study(
            name="one run",
            dataset=config["dataset"],
            model=config["model"],
            regularizers={name: {**params, "start": []}},
            training=settings,
            fractions=[config.get("fraction", 1.0)],
            images_per_class=[config["images_per_class"]] if config.get("images_per_class") is not None else [],
            protocol=config.get("protocol", "validation"),
            seed=config.get("seed", 0),
        )
    except StudyError as error:
        raise StudyError(str(error).replace(f"regularizers.{name}.", "")) from None
    return Run(regularizer=name, params=params, training=study.training, **run)
