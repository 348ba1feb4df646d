"""Runs a study under Ray Tune, on this machine or on a cluster."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from tune_reg import data
from tune_reg.errors import ClusterError, StoreError, one_line
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.regularizers import load_plugin
from tune_reg.execution.results_directory import claim, owned, refuse_another_study, write_provenance
from tune_reg.backends.ray.head_node import head_watched, refuse_unreachable
from tune_reg.backends.ray.resources import demand, refuse_what_fits_nowhere, slots
from tune_reg.store import Results
from tune_reg.study import Study

#: Before Ray is imported or started: quiet, and no thread of a numerical library beyond a trial's share.
_ENVIRONMENT: Final = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    # Tune's own logs of results would be written for nobody: the store has them.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ctrl-C ends the run at once: what is finished is stored and what is running goes on from its checkpoints.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # The searcher itself holds back.
    "TUNE_MAX_PENDING_TRIALS_PG": str(2**20),
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Large activations come and go in every step; handing them back to the system costs page faults.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}

Watch = Callable[[Any], AbstractContextManager[None]]


def run_study(
    study: Study,
    directory: str | StoragePath,
    *,
    address: str | None = None,
    data_root: Path | None = None,
    plugins: Sequence[Path] = (),
    attacks_only: bool = False,
    watch: Watch | None = None,
) -> Results:
    """Search, confirm, test and attack; what is done already in ``directory`` is not done again.

    A study that asks for more than the one that the directory holds (trials, regularizers, training sets, seeds,
    robustness tests), and for nothing else, goes on from it. ``attacks_only``: confirmed runs get the robustness tests
    that they lack, and nothing else is done.
    ``address``: of a Ray cluster; None uses a Ray that is running in this process, or starts one here.
    ``data_root``: where the data sets lie. ``plugins``: files that register regularizers of one's own, which every
    process that trains must run, too. ``watch``: given the ``StudyController``, a context that shows its progress.
    Raises ``TuneRegError`` before any work starts where something is wrong.
    """
    directory = to_path(directory)
    if address is not None:
        refuse_unreachable(address)
    for plugin in plugins:
        load_plugin(plugin)
    with owned(directory) as lease:
        refuse_another_study(directory, study)
        if attacks_only and not (directory / "study.toml").exists():
            raise StoreError(f"--only robustness: {directory} holds no study whose runs could be tested; run it first")
        dataset = data.load(study.dataset, data_root)
        claim(directory, study)
        write_provenance(directory, study, dataset, plugins)
        from tune_reg.execution.controller import StudyController

        sweep = StudyController(study, directory, attacks_only=attacks_only)
        if lease is not None:
            lease.tell_loss(sweep.fail)
        if not sweep.finished:
            with ray_running(address), watch(sweep) if watch else nullcontext():
                with _interrupt_noted(sweep), head_watched():
                    _fit(sweep, data_root, plugins)
                if sweep.fatal is not None:
                    raise sweep.fatal
    return Results(directory)


@contextmanager
def _environment() -> Iterator[None]:
    """Ray's settings for a study, taken back afterwards: a Tuner of the user's own has its loggers."""
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def ray_running(address: str | None) -> Iterator[None]:
    """Ray, started here if it is not running; what was started here is stopped again."""
    with _environment():
        import ray

        if ray.is_initialized():
            yield
            return
        here: dict[str, Any] = {} if address else {"include_dashboard": False}
        on_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            with nullcontext() if address else _on_loopback():
                ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **here)
        except (ConnectionError, ValueError) as error:
            raise ClusterError(f"--address {address}: cannot be used ({one_line(error)})") from None
        try:
            yield
        finally:
            ray.shutdown()
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own ends the process with a trace of its stack


@contextmanager
def _on_loopback() -> Iterator[None]:
    """A Ray that is started meanwhile listens on 127.0.0.1 alone: on one machine nobody else has to reach it.

    On Linux it would listen on every interface. It does not where it is told that there are no clusters, as it is on
    other systems; who has set that variable decides.
    """
    from ray._private import ray_constants

    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    if name in os.environ:
        yield
        return
    before = ray_constants.ENABLE_RAY_CLUSTER
    os.environ[name], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        del os.environ[name]
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _interrupt_noted(sweep: Any) -> Iterator[None]:
    """Ctrl-C ends the study also where the exception is lost: Python drops one that comes in a finalizer.

    So does SIGTERM, which a queue, Kubernetes and ``ray job stop`` send before they end a process. The
    ``KeyboardInterrupt`` holds the signal's number. Ctrl-C that is ignored, as a script has it of what it starts with
    ``&``, stays so; where a program has its own answer to it, both signals are left alone.
    """

    def interrupt(number: int, _: object) -> None:
        error = KeyboardInterrupt(number)
        sweep.fail(error)
        raise error

    on_ctrl_c = signal.getsignal(signal.SIGINT)
    ours = on_ctrl_c in (signal.default_int_handler, signal.SIG_IGN)
    if threading.current_thread() is not threading.main_thread() or not ours:
        yield
        return
    taken = [signal.SIGTERM] if on_ctrl_c == signal.SIG_IGN else [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, interrupt) for number in taken}
    try:
        yield
    except KeyboardInterrupt:
        if isinstance(sweep.fatal, KeyboardInterrupt):
            raise sweep.fatal from None  # Ray's calls raise one of their own, without the number
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fit(sweep: Any, data_root: Path | None, plugins: Sequence[Path]) -> None:
    from ray import tune

    from tune_reg.execution.lane_keys import LaneKeys, lanes_of
    from tune_reg.backends.ray.lane_adapters import LaneGroupScheduler, LaneGroupSearcher, LaneGroupTrainable
    from tune_reg.execution.lane_groups import LaneGroups
    from tune_reg.backends.ray.trainables import StudyTrainable
    from tune_reg.backends.ray.tune_adapters import FaultStopper, HangWatch, StudyScheduler, StudySearcher

    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    resources = sweep.study.resources
    needed = demand(resources)
    refuse_what_fits_nowhere(_nodes(), needed)

    def count() -> int:
        return slots(_nodes(), needed)

    lanes = lanes_of(resources)
    if lanes == 1:
        trainable = StudyTrainable
        searcher = StudySearcher(sweep, slots=count, data_root=data_root, plugins=plugins)
        scheduler = StudyScheduler(sweep)
    else:
        trainable = LaneGroupTrainable
        packs = LaneGroups(sweep, LaneKeys(sweep.study), lanes=lanes)
        searcher = LaneGroupSearcher(packs, sweep, slots=count, data_root=data_root, plugins=plugins)
        scheduler = LaneGroupScheduler(packs, sweep, searcher)
    # Tune's own files are read by nobody: DIR holds everything.
    with tempfile.TemporaryDirectory(prefix="tune-reg-") as scratch:
        tune.Tuner(
            tune.with_resources(trainable, tune.PlacementGroupFactory([needed])),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_key,
                trial_dirname_creator=_key,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=resources.max_failures),
                callbacks=[HangWatch(sweep)],
                stop=FaultStopper(sweep),
                # Runs keep their own checkpoints.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()


def _nodes() -> list[dict[str, float]]:
    """What each node of the cluster has, now: nodes are lost or about to go, and an autoscaler adds some."""
    import ray

    from tune_reg.backends.ray.preemption import draining_nodes

    leaving = draining_nodes()
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"] and node["NodeID"] not in leaving]


def _key(trial: Any) -> str:
    key: str = trial.config["key"]
    return key
