"""Runs a study under Ray Tune, on this machine or on a cluster."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeAlias

from search_spaces import Choice
from tune_reg.backends.ray.cluster_nodes import ClusterNodes, check_of
from tune_reg.backends.ray.connection import ray_running
from tune_reg.backends.ray.head_node import reached, watch_head
from tune_reg.backends.ray.interrupts import stopped_by_signals
from tune_reg.backends.ray.resources import LimitedRate, demand, refuse_what_fits_nowhere, slots
from tune_reg.data import is_of_code, load
from tune_reg.errors import StoreError
from tune_reg.evaluation import citations as of_tests
from tune_reg.execution.changes import changes, refuse_or_accept
from tune_reg.execution.controller import StudyController
from tune_reg.execution.gpu_use import gpu_lines, resolved
from tune_reg.execution.lane_groups import LaneGroups
from tune_reg.execution.lane_keys import LaneKeys
from tune_reg.execution.outcome import raise_if_nothing_succeeded
from tune_reg.execution.preflight import preflight
from tune_reg.execution.provenance import make_provenance, write_provenance, write_resources
from tune_reg.execution.results_directory import as_begun, claim, holds, refuse_another_study, refuse_other_data
from tune_reg.execution.tracking import refuse_missing_trackers
from tune_reg.optimizers import citations as of_optimizers
from tune_reg.references import bibtex
from tune_reg.regularizers import load_plugin
from tune_reg.regularizers.kept import plugins_of
from tune_reg.search.citations import citations as of_search
from tune_reg.storage.exclusive import exclusive
from tune_reg.storage.paths import StoragePath, expanded, to_path
from tune_reg.store import Results
from tune_reg.study import Study, StudyPlan, make_plan

#: Given the controller of a study, a context that shows its progress.
Watch: TypeAlias = Callable[[StudyController], AbstractContextManager[None]]

_TUNE: Final = ("Ray Tune (running the trials)", "liaw2018tune")
_ROUNDS: Final = ("confirmation in rounds (levels of the looks)", "lan1983discrete")


def run_study(
    study: Study,
    directory: str | StoragePath,
    *,
    address: str | None = None,
    data_root: Path | None = None,
    plugins: Sequence[Path] = (),
    robustness_only: bool = False,
    watch: Watch | None = None,
    skip_preflight: bool = False,
    retry_failed: bool = False,
    accept_changes: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> Results:
    """Search, confirm, test and attack; what is done already in ``directory`` is not done again.

    A study that asks for more than the one that the directory holds (trials, regularizers, training sets, seeds,
    robustness tests), and for nothing else, goes on from it. ``robustness_only``: confirmed runs get the robustness
    tests that they lack, and nothing else is done.
    ``address``: of a Ray cluster; None uses a Ray that is running in this process, or starts one here.
    ``skip_preflight``: the parts of the study are not tried before the start.
    ``retry_failed``: every run that failed is tried again, not only those whose code has changed since.
    ``accept_changes``: code or a torch that has changed since runs succeeded is taken, as the numbers stay the same.
    ``note``: is given what a person should know before the start and while the study goes on, a line at a time.
    ``data_root``: where the data sets lie. ``plugins``: files that register regularizers of one's own, which every
    process that trains must run, too. ``watch``: given the controller of the study, a context that shows its progress.
    Raises ``TuneRegError`` before any work starts where something is wrong, and ``NothingSucceededError`` at the end of
    a study in which no run came to a result.
    """
    directory = to_path(directory)
    refuse_missing_trackers(study)
    if address is not None:
        address = reached(address)
    plugins = [expanded(plugin).absolute() for plugin in plugins]
    for plugin in plugins:
        load_plugin(plugin)
    with exclusive(directory) as lease:
        of_study = plugins_of(method.regularizer for method in study.regularizers.values())
        plugins = list(dict.fromkeys([*plugins, *of_study]))
        study = as_begun(directory, study)
        plan = make_plan(study)
        refuse_another_study(directory, study)
        if robustness_only and not (directory / "study.toml").exists():
            raise StoreError(f"--only robustness: {directory} holds no study whose runs could be tested; run it first")
        dataset = load(study.dataset, data_root) if study.dataset else None
        refuse_other_data(directory, dataset)
        begun = holds(directory, study)
        wanted = not (skip_preflight or robustness_only)
        if wanted and not begun:
            _try(plan, data_root, note)
        provenance = make_provenance(plan, dataset, plugins, citations=_citations(plan))
        changed = changes(Results(directory).provenance(), provenance)
        for line in refuse_or_accept(directory, changed, accept_changes=accept_changes):
            note(line)
        claim(directory, study)
        write_provenance(directory, provenance)
        controller = StudyController(
            plan,
            directory,
            data_root=data_root,
            data_md5=dataset.md5 if dataset is not None else None,
            plugins=plugins,
            robustness_only=robustness_only,
            retry_failed=retry_failed,
            note=note,
        )
        if wanted and begun and not controller.finished:
            _try(plan, data_root, note)
        if lease is not None:
            lease.call_on_loss(controller.stop)
        if not controller.finished:
            of_code = is_of_code(study.dataset)  # the user's function is found by what a run is told, not by a look
            root = str(data_root) if data_root else None
            md5 = None if of_code or dataset is None else dataset.md5
            check = check_of(directory, study.dataset, root, md5)
            _carry_out(controller, address, watch, lambda: ClusterNodes(check, directory, note), note)
    results = Results(directory)
    if not robustness_only:
        raise_if_nothing_succeeded(plan, results)
    return results


def _try(plan: StudyPlan, data_root: Path | None, note: Callable[[str], None]) -> None:
    for text in preflight(plan, data_root):
        note(text)


def _carry_out(
    controller: StudyController,
    address: str | None,
    watch: Watch | None,
    cluster: Callable[[], ClusterNodes],
    note: Callable[[str], None],
) -> None:
    with ray_running(address):
        nodes = cluster()
        nodes.look_at_all()
        with watch(controller) if watch else nullcontext():
            with stopped_by_signals(controller), watch_head():
                _fit(controller, nodes, note)
            controller.raise_if_stopped()


def _fit(controller: StudyController, nodes: ClusterNodes, note: Callable[[str], None]) -> None:
    from ray import tune

    from tune_reg.backends.ray.hang_watch import HangWatch
    from tune_reg.backends.ray.losses import LossWatch, own_words
    from tune_reg.backends.ray.placement import Placement
    from tune_reg.backends.ray.reporter import Silent
    from tune_reg.backends.ray.scheduler import LaneGroupScheduler, StartWatch, StudyScheduler, StudyStopper
    from tune_reg.backends.ray.searcher import LaneGroupSearcher, StudySearcher
    from tune_reg.backends.ray.study_trainables import LaneGroupTrainable, StudyTrainable

    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    plan, up = controller.plan, nodes.up()
    least = demand(plan.study.resources)
    resources = resolved(plan, lambda gpus: slots(up, {**least, "GPU": gpus}))
    needed = demand(resources)
    refuse_what_fits_nowhere(up, needed)
    for line in gpu_lines(plan, resources, slots(up, {**least, "GPU": 1.0})):
        note(line)
    write_resources(controller.directory, resources)
    count = LimitedRate(lambda: slots(nodes.up(), needed, resources.share), seconds=5.0)
    placement = Placement(nodes, needed)
    hangs = HangWatch(resources.epoch_timeout_s)
    if resources.lanes == 1:
        trainable = StudyTrainable
        searcher = StudySearcher(controller, slots=count, place=placement.place)
        scheduler = StudyScheduler(controller, hangs, placement)
    else:
        trainable = LaneGroupTrainable
        groups = LaneGroups(
            controller, LaneKeys(plan), lanes=None if resources.lanes == "auto" else resources.lanes, slots=count
        )
        searcher = LaneGroupSearcher(groups, controller, slots=count, place=placement.place)
        scheduler = LaneGroupScheduler(groups, controller, hangs, placement)
    # Tune's own files are read by nobody: the results directory holds everything.
    with tempfile.TemporaryDirectory(prefix="tune-reg-") as scratch, own_words():
        tune.Tuner(
            trainable,
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
                progress_reporter=Silent(),
                failure_config=tune.FailureConfig(max_failures=resources.max_failures),
                callbacks=[hangs, LossWatch(note), StartWatch(scheduler.on_trial_start)],
                stop=StudyStopper(controller),
                # Runs keep their own checkpoints.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()


def _citations(plan: StudyPlan) -> list[tuple[str, str]]:
    """What is cited for, and its BibTeX, of everything that the study uses beside its regularizers."""
    study = plan.study
    used: set[str] = set()
    for task in plan.tasks:
        entry = task.space.get("optimizer", study.training.optimizer)
        used |= {str(value) for value in (entry.values if isinstance(entry, Choice) else (entry,))}
    return [
        (_TUNE[0], bibtex(_TUNE[1])),
        *of_search(study.search),
        *([(_ROUNDS[0], bibtex(_ROUNDS[1]))] if study.confirm.seeds is None else []),
        *of_optimizers(sorted(used)),
        *of_tests(study.robustness),
    ]


def _key(trial: Any) -> str:
    key: str = trial.config["key"]
    return key
