"""The trackers that a study can name, each imported when it is first used."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from tune_reg.study.settings import TrackerName


class RunFacts(NamedTuple):
    """What a tracker is told of a run when it is opened."""

    #: The name of the study, which is the project or experiment.
    study: str
    #: The name of the run in its study.
    key: str
    #: The same whenever the study goes on in its directory, and no other run's: 16 hexadecimal digits.
    identity: str
    params: Mapping[str, Any]
    #: The results directory, as text.
    folder: str
    #: The epoch that comes next, from 1.
    first_epoch: int


class TrackedRun(Protocol):
    """One run as a tracker has it."""

    def epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """Track the numbers of an epoch."""

    def pause(self) -> None:
        """Close the run; it may be opened again."""

    def end(self, values: Mapping[str, float], state: str) -> None:
        """Track the numbers of the run's test and its state ("complete", "pruned", ...), and close it."""


class Tracker(NamedTuple):
    """A tracker that a study can name."""

    #: The module that must be there.
    module: str
    #: What pip calls it.
    package: str
    open: Callable[[RunFacts], TrackedRun]


class _TensorBoard:
    """Event files in ``DIR/tensorboard``; of a run that goes on, TensorBoard drops what comes anew."""

    def __init__(self, facts: RunFacts) -> None:
        from tensorboardX import SummaryWriter

        folder = f"{facts.folder}/tensorboard/{facts.key}"
        self._writer = SummaryWriter(folder, purge_step=facts.first_epoch, filename_suffix=f".{facts.first_epoch:05d}")
        # TensorBoard takes a step below the last one for a restart, and drops what lies between.
        self._step = facts.first_epoch - 1
        self._writer.add_text("params", json.dumps(facts.params, default=str), self._step)

    def epoch(self, values: Mapping[str, float], epoch: int) -> None:
        self._step = epoch
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def pause(self) -> None:
        self._writer.close()

    def end(self, values: Mapping[str, float], state: str) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"final/{name}", value, self._step)
        self._writer.add_text("state", state, self._step)
        self._writer.close()


class _WandB:
    """A run of Weights & Biases in the project of the study's name, where its own environment variables say."""

    def __init__(self, facts: RunFacts) -> None:
        import wandb

        self._run = wandb.init(
            project=facts.study,
            name=facts.key,
            id=facts.identity,
            config=dict(facts.params),
            resume="allow",
            reinit="create_new",
        )

    def epoch(self, values: Mapping[str, float], epoch: int) -> None:
        if epoch >= self._run.step:  # what the run has already is refused there
            self._run.log(dict(values), step=epoch)

    def pause(self) -> None:
        self._run.finish()

    def end(self, values: Mapping[str, float], state: str) -> None:
        self._run.summary.update({**values, "state": state})
        self._run.finish(exit_code=int(state == "failed"))


class _MLflow:
    """A run of MLflow in the experiment of the study's name, where ``MLFLOW_TRACKING_URI`` says."""

    def __init__(self, facts: RunFacts) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient()
        experiment = self._client.get_experiment_by_name(facts.study)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(facts.study)
        runs = self._client.search_runs([experiment_id], f"tags.tune_reg_id = '{facts.identity}'", max_results=1)
        self._last = 0
        if runs:
            self._id = runs[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            self._last = max((m.step for m in self._client.get_metric_history(self._id, "strength")), default=0)
        else:
            run = self._client.create_run(experiment_id, run_name=facts.key, tags={"tune_reg_id": facts.identity})
            self._id = run.info.run_id
            for name, value in facts.params.items():
                self._client.log_param(self._id, name, value)

    def epoch(self, values: Mapping[str, float], epoch: int) -> None:
        if epoch > self._last:
            self._log(values, epoch)

    def pause(self) -> None:
        self._client.set_terminated(self._id, "SCHEDULED")

    def end(self, values: Mapping[str, float], state: str) -> None:
        self._log(values, 0)
        self._client.set_tag(self._id, "state", state)
        self._client.set_terminated(self._id, "FAILED" if state == "failed" else "FINISHED")

    def _log(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self._client.log_batch(self._id, metrics=[Metric(name, value, now, step) for name, value in values.items()])


class _Trackio:
    """A run of trackio in the project of the study's name."""

    def __init__(self, facts: RunFacts) -> None:
        import trackio

        self._run = trackio.init(
            project=facts.study, name=facts.key, config=dict(facts.params), resume="allow", embed=False
        )

    def epoch(self, values: Mapping[str, float], epoch: int) -> None:
        self._run.log(dict(values), step=epoch)

    def pause(self) -> None:
        self._run.finish()

    def end(self, values: Mapping[str, float], state: str) -> None:
        self._run.log({**{f"final/{name}": value for name, value in values.items()}, "state": state})
        self._run.finish()


#: Every tracker by its name in a study file.
TRACKERS: Final[dict[TrackerName, Tracker]] = {
    "tensorboard": Tracker("tensorboardX", "tensorboardX", _TensorBoard),
    "wandb": Tracker("wandb", "wandb", _WandB),
    "mlflow": Tracker("mlflow", "mlflow", _MLflow),
    "trackio": Tracker("trackio", "trackio", _Trackio),
}
