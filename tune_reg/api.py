"""The study as Python users run it: the declared study, with a method that carries it out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_reg.regularizers import load_plugin
from tune_reg.results import Results
from tune_reg.storage.paths import StoragePath
from tune_reg.study import Study as DeclaredStudy
from tune_reg.study import unused_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn
    from torch.utils.data import Dataset as TorchDataset

    from tune_reg.data import Dataset
    from tune_reg.evaluation.settings import RobustnessSettings
    from tune_reg.study import ConfirmSettings, MetricSettings, ResourceSettings, SearchSettings
    from tune_reg.study.settings import TrackerName
    from tune_reg.trainer import TrainerRun
    from tune_reg.training import Protocol, TrainingSettings


class Study(DeclaredStudy):
    """A comparison of regularizers on one data set and model.

    ``model``: a name, or a function or a class that makes a new network of what its parameters name: ``channels``,
    ``image_size`` and ``classes``, or ``inputs``, the shape of one example, and ``classes``. ``dataset``: a name,
    ``folder:PATH``, arrays (examples, labels) or (train examples, train labels, test examples, test labels), one or two
    torch data sets, a ``tune_reg.data.Dataset``, or a function that returns one of these. All of them may stand in
    a script or a notebook. ``plugins``: files that register the study's own regularizers; a module that was imported
    and registers some needs no mention.

    ``regularizers``: names, or a mapping of names to search spaces (a ``SearchSpace``, or a mapping of
    hyperparameters to domains, ``ray.tune`` domains, lists of choices, schedules or fixed values; or a function that
    takes an Optuna trial and returns hyperparameters). What a space does not name is searched over the regularizer's
    default space. A name is that of a regularizer, or any name whose table says ``regularizer = NAME`` or
    ``regularizer = [NAME, NAME]``, for several at once. ``baseline``: the name that the others are compared with;
    the first where not given. ``trainer``: a function that trains a run in a loop of the user's own, in place of a
    ``model`` (see ``TrainerRun``), on ``dataset`` or on so many ``examples`` of its own. Raises
    ``StudyError`` with a line for each mistake.

    >>> from search_spaces import loguniform
    >>> study = Study(name="wd", dataset="digits", model="nn-2",
    ...               regularizers={"weight-decay": {"weight_decay": loguniform(1e-5, 1e-1)}})
    >>> study.baseline, [training_set.name for training_set in study.training_sets]
    ('weight-decay', ['1'])
    """

    if TYPE_CHECKING:
        # What may be passed, for editors and type checkers: tables may be mappings. At run time pydantic decides.
        def __init__(
            self,
            *,
            name: str,
            trainer: str | Callable[[TrainerRun], None] = ...,
            examples: int = ...,
            dataset: str | Dataset | TorchDataset[Any] | Sequence[Any] | Callable[[], Any] = ...,
            model: str | type[nn.Module] | Callable[..., nn.Module] = ...,
            regularizers: Mapping[str, Any] | Sequence[str | Sequence[str]],
            baseline: str = ...,
            fractions: list[float] = ...,
            images_per_class: list[int] = ...,
            protocol: Protocol = ...,
            seed: int = ...,
            tracking: Sequence[TrackerName] = ...,
            metric: MetricSettings | Mapping[str, Any] = ...,
            training: TrainingSettings | Mapping[str, Any] = ...,
            search: SearchSettings | Mapping[str, Any] = ...,
            confirm: ConfirmSettings | Mapping[str, Any] = ...,
            robustness: RobustnessSettings | Mapping[str, Any] = ...,
            resources: ResourceSettings | Mapping[str, Any] = ...,
            plugins: str | Path | Sequence[str | Path] = ...,
        ) -> None: ...
    else:

        def __init__(self, *, plugins=(), **keys) -> None:  # noqa: ANN001, ANN003 - typed above
            _load_plugins(plugins)
            super().__init__(**keys)

    def check(
        self,
        *,
        data: str | Path | None = None,
        plugins: str | Path | Sequence[str | Path] = (),
        skip_preflight: bool = False,
    ) -> None:
        """Print what ``tune-reg check`` says: the cost, what the study can decide, and what a person should know.

        The parts of the study are tried once, unless ``skip_preflight``. Raises ``TuneRegError`` with a line for each
        mistake. ``data``, ``plugins``: as for ``run``.
        """
        from tune_reg.display.plan import print_check

        _load_plugins(plugins)
        print_check(self, self.name, data=Path(data) if data else None, skip_preflight=skip_preflight)

    def run(
        self,
        directory: str | StoragePath,
        *,
        address: str | None = None,
        data: str | Path | None = None,
        plugins: str | Path | Sequence[str | Path] = (),
        skip_preflight: bool = False,
        retry_failed: bool = False,
        accept_changes: bool = False,
    ) -> Results:
        """Search, confirm, test and attack into ``directory``; what is done there already is not done again.

        ``address``: of a Ray cluster; None uses a Ray that is running in this process, or starts one here.
        A terminal or a notebook shows how far it is.
        ``data``: the data root. ``plugins``: files that register the study's own regularizers. ``skip_preflight``: the
        parts of the study are not tried before the start. ``retry_failed``: every run that failed is tried again, not
        only those whose code has changed since. ``accept_changes``: code that has changed since runs succeeded is
        taken, as their numbers stay the same; without it, it is refused. What a person should know meanwhile is logged
        as a warning; settings that change nothing are Python warnings. Raises ``TuneRegError`` before any work starts
        where something is wrong, and ``NothingSucceededError`` where no run came to a result.
        """
        from tune_reg.backends.ray.launch import run_study  # loads Ray, which a study that is only declared needs not
        from tune_reg.display.console import console
        from tune_reg.display.progress import live_progress

        for text in unused_settings(self):
            warnings.warn(text, stacklevel=2)
        is_watched = console.is_terminal or console.is_jupyter
        done = run_study(
            self,
            directory,
            address=address,
            data_root=Path(data) if data else None,
            plugins=_paths(plugins),
            skip_preflight=skip_preflight,
            retry_failed=retry_failed,
            accept_changes=accept_changes,
            note=logging.getLogger("tune_reg").warning,  # one line, on standard error where nothing else is set up
            watch=(lambda controller: live_progress(controller.progress, console)) if is_watched else None,
        )
        return Results(done.directory)


def _paths(plugins: str | Path | Sequence[str | Path]) -> list[Path]:
    """One plugin or several as paths."""
    return [Path(path) for path in ([plugins] if isinstance(plugins, str | Path) else plugins)]


def _load_plugins(plugins: str | Path | Sequence[str | Path]) -> None:
    for path in _paths(plugins):
        load_plugin(path)
