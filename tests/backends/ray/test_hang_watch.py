"""Runs that report nothing for too long, as Tune tells of them, without a Ray."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from tune_reg.backends.ray.hang_watch import HangWatch
from tune_reg.backends.ray.study_trainables import config_of
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.execution.messages import LaneGroupOrder, RunOrder
from tune_reg.training import Run


def tune_trial(key, lanes=None):
    """A Tune trial that is under way, of a run or of a group with so many runs."""
    order = RunOrder(key, "search", Run("digits", "nn-2-small", "l1"), "checkpoints", RobustnessSettings())
    order = order if lanes is None else LaneGroupOrder((order,) * lanes)
    actor = SimpleNamespace(ray_actor=f"the process of {key}")
    return Mock(status="RUNNING", config=config_of(key, order), temporary_state=actor)


@pytest.fixture
def ended(monkeypatch):
    """The processes that were ended."""
    processes = []
    monkeypatch.setattr("ray.kill", processes.append)
    return processes


@pytest.fixture
def clock():
    """Seconds, as a list of one number."""
    return [0.0]


@pytest.fixture
def watch(clock):
    return HangWatch(10.0, clock=lambda: clock[0])


def test_a_run_that_hangs_is_ended_once_and_the_reason_is_said_once(watch, ended, clock):
    run = tune_trial("a")
    watch.on_trial_start(0, [run], run)
    clock[0] = 9.0
    watch.on_step_begin(1, [run])
    assert (ended, watch.pop_reason(run)) == ([], None)
    clock[0] = 11.0
    watch.on_step_begin(2, [run])
    watch.on_step_begin(3, [run])
    assert ended == ["the process of a"]
    assert watch.pop_reason(run) == "no epoch within 10 s"
    assert watch.pop_reason(run) is None


def test_a_hanging_group_has_time_for_each_of_its_runs(watch, ended, clock):
    group = tune_trial("lane-group-00000", lanes=3)
    watch.on_trial_start(0, [group], group)
    clock[0] = 29.0
    watch.on_step_begin(1, [group])
    assert (ended, watch.pop_reason(group)) == ([], None)
    clock[0] = 31.0
    watch.on_step_begin(2, [group])
    watch.on_step_begin(3, [group])
    assert ended == ["the process of lane-group-00000"]
    assert watch.pop_reason(group) == "no epoch within 30 s"


def test_a_run_that_reports_or_has_ended_does_not_hang(watch, ended, clock):
    reports, over = tune_trial("a"), tune_trial("b")
    for run in (reports, over):
        watch.on_trial_start(0, [], run)
    clock[0] = 9.0
    watch.on_trial_result(1, [], reports, {})
    over.status = "TERMINATED"
    clock[0] = 18.0
    watch.on_step_begin(2, [])
    assert ended == []
    clock[0] = 20.0
    watch.on_step_begin(3, [])
    assert ended == ["the process of a"]
