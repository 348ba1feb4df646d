"""The study as Python users run it: the declared study, with a method that carries it out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_reg.storage.paths import StoragePath
from tune_reg.store import Results
from tune_reg.study import Study as DeclaredStudy
from tune_reg.study import unused_settings

if TYPE_CHECKING:
    from tune_reg.evaluation.settings import RobustnessSettings
    from tune_reg.study import ConfirmSettings, MetricSettings, ResourceSettings, SearchSettings
    from tune_reg.trainer import TrainerRun
    from tune_reg.training import Protocol, TrainingSettings


class Study(DeclaredStudy):
    """A comparison of regularizers on one data set and model.

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
            dataset: str = ...,
            model: str = ...,
            trainer: str | Callable[[TrainerRun], None] = ...,
            examples: int = ...,
            regularizers: Mapping[str, Any] | Sequence[str | Sequence[str]],
            baseline: str = ...,
            fractions: list[float] = ...,
            images_per_class: list[int] = ...,
            protocol: Protocol = ...,
            seed: int = ...,
            metric: MetricSettings | Mapping[str, Any] = ...,
            training: TrainingSettings | Mapping[str, Any] = ...,
            search: SearchSettings | Mapping[str, Any] = ...,
            confirm: ConfirmSettings | Mapping[str, Any] = ...,
            robustness: RobustnessSettings | Mapping[str, Any] = ...,
            resources: ResourceSettings | Mapping[str, Any] = ...,
        ) -> None: ...

    def run(
        self,
        directory: str | StoragePath,
        *,
        address: str | None = None,
        data: str | Path | None = None,
        plugins: Sequence[str | Path] = (),
        skip_preflight: bool = False,
        retry_failed: bool = False,
        accept_changes: bool = False,
    ) -> Results:
        """Search, confirm, test and attack into ``directory``; what is done there already is not done again.

        ``address``: of a Ray cluster; None uses a Ray that is running in this process, or starts one here.
        ``data``: the data root. ``plugins``: files that register the study's own regularizers. ``skip_preflight``: the
        parts of the study are not tried before the start. ``retry_failed``: every run that failed is tried again, not
        only those whose code has changed since. ``accept_changes``: code that has changed since runs succeeded is
        taken, as their numbers stay the same; without it, it is refused. What a person should know meanwhile is logged
        as a warning; settings that change nothing are Python warnings.
        """
        from tune_reg.backends.ray.launch import run_study  # loads Ray, which a study that is only declared needs not

        root = Path(data) if data else None
        for text in unused_settings(self):
            warnings.warn(text, stacklevel=2)
        return run_study(
            self,
            directory,
            address=address,
            data_root=root,
            plugins=[Path(path) for path in plugins],
            skip_preflight=skip_preflight,
            retry_failed=retry_failed,
            accept_changes=accept_changes,
            note=logging.getLogger("tune_reg").warning,  # one line, on standard error where nothing else is set up
        )
