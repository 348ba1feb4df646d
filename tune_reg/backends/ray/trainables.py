"""Trainables for a stock ``ray.tune.Tuner``: one run of one regularizer, an epoch a step."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from ray import tune

from tune_reg.backends.ray.device import device_of
from tune_reg.errors import StudyError
from tune_reg.regularizers import regularizer
from tune_reg.study import Study
from tune_reg.training import Run, SerialEngine, TrainingSettings
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
        run, data_root = run_from_config(self.regularizer, config), config.get("data")
        device, _ = device_of(self.trial_resources)
        self.engine = SerialEngine(run, data_root=Path(data_root) if data_root else None, device=device)

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
    """The settings that a checkpoint must share with the run that goes on from it."""
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
    if settings.get("validate_every", 1) != 1:
        raise StudyError(
            f"validate_every: must be 1 under a Tuner, whose schedulers read each result, but got "
            f"{settings['validate_every']!r}; leave it out"
        )
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
