"""Searcher, scheduler and Trainables of a study as Tune calls them, without a Ray."""

import signal
import weakref
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from digits import digits_study

from tune_reg.backends.lane_worker import LaneWorker
from tune_reg.backends.ray import study_trainables
from tune_reg.backends.ray.preemption import Preempted
from tune_reg.backends.ray.scheduler import LaneGroupScheduler, StudyScheduler, StudyStopper, failure_reason
from tune_reg.backends.ray.searcher import LaneGroupSearcher, StudySearcher
from tune_reg.backends.ray.study_trainables import LaneGroupTrainable, StudyTrainable, config_of, order_of
from tune_reg.errors import ClusterError, DataError, StoreError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_groups import LaneGroups
from tune_reg.execution.lane_keys import LaneKeys
from tune_reg.execution.messages import DeviceFault, LaneGroupOrder, LanesMeasured
from tune_reg.store import Results
from tune_reg.study import make_plan
from tune_reg.training import LaneEngine
from tune_reg.training.lanes import LaneChoice

GROUP = "lane-group-00000"


class FakeTrial:
    """A Tune trial whose Trainable is in this process; calls of its actor are made at once."""

    def __init__(self, config, trainable=None):
        self.config = config
        self.status = "RUNNING"
        actor = trainable and SimpleNamespace(change=SimpleNamespace(remote=trainable.change))
        self.temporary_state = SimpleNamespace(ray_actor=actor)

    def set_config(self, config):
        self.config = config

    def get_error(self):
        return "RuntimeError: something broke"


@pytest.fixture
def hangs():
    """Where no process was ended for want of reports."""
    return Mock(pop_reason=Mock(return_value=None))


@pytest.fixture
def make(tmp_path, monkeypatch, hangs):
    """The controller of a study of five trials, and what Tune calls."""
    monkeypatch.setattr("tune_reg.backends.ray.scheduler.is_driver_node_lost", lambda _: False)

    def made(lanes=2, **settings):
        study = digits_study(**{"search": {"trials": 5, "pruner": "none"}, **settings})
        controller = StudyController(make_plan(study), tmp_path)
        groups = LaneGroups(controller, LaneKeys(controller.plan), lanes=lanes)
        searcher = LaneGroupSearcher(groups, controller, slots=lambda: 1)
        return controller, groups, searcher, LaneGroupScheduler(groups, controller, hangs)

    return made


def started(searcher, name="1"):
    config = searcher.suggest(name)
    trainable = LaneGroupTrainable(dict(config))
    return FakeTrial(config, trainable), trainable


def reports(trainable):
    """What each run of a lane group reports of a step."""
    return trainable.train()["message"].reports


def test_a_study_of_single_runs_comes_to_its_end(tmp_path, hangs):
    controller = StudyController(make_plan(digits_study()), tmp_path)
    searcher = StudySearcher(controller, slots=lambda: 1)
    scheduler = StudyScheduler(controller, hangs)
    trainable, number = None, 0
    while (config := searcher.suggest(f"{number}")) != "FINISHED":
        assert searcher.suggest("one more") is None, "there is one slot"
        trainable = trainable or StudyTrainable(dict(config))
        trainable.reset(dict(config))
        trial = FakeTrial(config)
        assert scheduler.on_trial_result(None, trial, trainable.train()) == "CONTINUE"
        # Tune brings a last result here alone.
        scheduler.on_trial_complete(None, trial, trainable.train())
        searcher.on_trial_complete(f"{number}")
        number += 1
    assert number == 4
    assert controller.finished
    assert Results(tmp_path).final()["state"].to_pylist() == ["complete"]


def test_a_paused_run_ends_its_trial_of_tune_and_goes_on_in_another_from_its_checkpoint(tmp_path, hangs):
    study = digits_study(
        training={"epochs": 3, "batch_size": 64},
        search={"trials": 6, "sampler": "knowledge-gradient", "pruner": "pause"},
    )
    controller = StudyController(make_plan(study), tmp_path)
    searcher = StudySearcher(controller, slots=lambda: 1)
    scheduler = StudyScheduler(controller, hangs)
    keys, decision, number = [], "CONTINUE", 0
    while (config := searcher.suggest(f"{number}")) != "FINISHED":
        keys.append(config["key"])
        trainable, trial = StudyTrainable(dict(config)), FakeTrial(config)
        while True:
            result = trainable.train()
            if result["done"]:
                scheduler.on_trial_complete(None, trial, result)
                break
            decision = scheduler.on_trial_result(None, trial, result)
            if decision == "STOP":
                break
        searcher.on_trial_complete(f"{number}")
        number += 1
    assert controller.finished
    rows = [row for row in Results(tmp_path).epochs().to_pylist() if row["stage"] == "search"]
    assert len({(row["trial"], row["epoch"]) for row in rows}) == len(rows)
    assert 6 * 3 - 1 <= len(rows) <= 6 * 3
    assert len(set(keys)) < len(keys), "one that was paused went on"


def test_a_study_in_lanes_comes_to_its_end(make):
    controller, _, searcher, scheduler = make()
    trial, trainable = started(searcher)
    decisions = [scheduler.on_trial_result(None, trial, trainable.train()) for _ in range(8)]
    # Two epochs for each of 2, 2 and 1 lanes; then two and a test for the one that is confirmed.
    assert decisions == ["CONTINUE"] * 8
    assert scheduler.on_trial_result(None, trial, trainable.train()) == "STOP"
    assert controller.finished
    assert controller.progress().tasks[0].done == 5
    searcher.on_trial_complete("1")
    assert searcher.suggest("2") == "FINISHED"


def test_a_process_takes_up_a_group_or_a_single_run(make):
    controller, _, searcher, _ = make()
    _, trainable = started(searcher)
    assert len(reports(trainable)) == 2
    run = controller.next_run()
    assert trainable.reset(config_of(run.key, controller.order(run)))
    assert [row["epoch"] for row in trainable.train()["message"].rows] == [1]
    other = controller.next_run()
    assert trainable.reset(config_of("lane-group-1", LaneGroupOrder((controller.order(other),))))
    assert trainable._worker is None, "what it trained before is still in memory"
    assert list(reports(trainable)) == [other.key]


@pytest.fixture
def engines(monkeypatch):
    """A reference to each lane engine that is made; then none of those before may be in memory."""
    made = []

    def made_where_none_is_left(*runs, **keys):
        assert [engine for engine in made if engine() is not None] == []
        engine = LaneEngine(*runs, **keys)
        made.append(weakref.ref(engine))
        return engine

    monkeypatch.setattr("tune_reg.backends.lane_worker.LaneEngine", made_where_none_is_left)
    return made


def test_the_engine_of_a_group_is_kept_for_the_next_of_its_kind_alone(make, engines):
    _, groups, searcher, _ = make(regularizers=["weight-decay", "l1"])
    _, trainable = started(searcher)
    assert len(reports(trainable)) == 2
    others = []
    while (group := groups.next_run()) is not None:
        others.append(group)
    others.sort(key=lambda group: group.key.regularizer, reverse=True)
    assert [group.key.regularizer for group in others] == ["weight-decay"] * 2 + ["l1"] * 3
    made = []
    for group in others:
        assert trainable.reset(config_of(group.name, groups.order(group)))
        assert list(reports(trainable)) == list(group.runs)
        made.append(len(engines))
    assert made == [1, 1, 2, 2, 2]


def test_the_engine_of_a_group_is_not_kept_for_a_single_run(make, engines):
    controller, _, searcher, _ = make()
    _, trainable = started(searcher)
    reports(trainable)
    run = controller.next_run()
    assert trainable.reset(config_of(run.key, controller.order(run)))
    assert engines[0]() is None


def test_the_engine_of_a_group_that_failed_is_not_kept(make, engines, monkeypatch):
    _, groups, searcher, _ = make()
    _, trainable = started(searcher)
    with monkeypatch.context() as patch:
        patch.setattr(LaneWorker, "step", lambda _: 1 / 0)
        fault = trainable.train()["message"]
    assert trainable.train()["message"] == fault
    group = groups.next_run()
    assert trainable.reset(config_of(group.name, groups.order(group)))
    assert len(engines) == 2
    assert list(reports(trainable)) == list(group.runs)


def test_lanes_are_measured_without_the_engine_of_the_group_before(make, engines, monkeypatch):
    monkeypatch.setattr(study_trainables, "choose_lanes", lambda *_, **__: LaneChoice(2, 1.5, "x86"))
    monkeypatch.setattr(LaneGroupTrainable, "_lanes", {})
    _, groups, searcher, _ = make()
    _, trainable = started(searcher)  # after a lost process, say: it is told how many lanes pay
    group = groups.next_run()
    for number in range(2):
        order = LaneGroupOrder(groups.order(group).runs, measure_up_to=4)
        assert trainable.reset(config_of(f"again-{number}", order))
        assert trainable.train()["message"] == LanesMeasured(2, 1.5, "x86")
        assert len(engines) == 2


def test_a_group_that_starts_anew_begins_with_the_runs_of_now(make):
    _, groups, searcher, scheduler = make()
    trial, trainable = started(searcher)
    for _ in range(2):
        scheduler.on_trial_result(None, trial, trainable.train())
    trial.status = "ERROR"  # Tune is about to start it anew
    scheduler.on_trial_error(None, trial)
    runs = list(groups.find(GROUP).runs)
    assert [order.key for order in order_of(trial.config).runs] == runs
    assert [key[-5:] for key in runs] == ["00002", "00003"]
    assert list(reports(LaneGroupTrainable(dict(trial.config)))) == runs


def test_a_group_that_is_given_up_leaves_its_runs_to_be_tried_alone(make, hangs, tmp_path):
    controller, groups, searcher, scheduler = make()
    trial, trainable = started(searcher)
    scheduler.on_trial_result(None, trial, trainable.train())
    runs = list(groups.find(GROUP).runs)
    hangs.pop_reason.return_value = "no epoch within 8 s"
    scheduler.on_trial_error(None, trial)
    searcher.on_trial_complete("1", error=True)
    hangs.pop_reason.assert_called_once_with(trial)
    assert groups.find(GROUP) is None
    assert controller.progress().tasks[0].failed == 0
    for number, (key, reason) in enumerate(zip(runs, ["no epoch within 4 s", None], strict=True)):
        config = searcher.suggest(f"alone-{number}")
        assert (config["key"], order_of(config).key) == (key, key)
        hangs.pop_reason.return_value = reason
        scheduler.on_trial_error(None, FakeTrial(config))
        searcher.on_trial_complete(f"alone-{number}", error=True)
    assert controller.progress().tasks[0].failed == 2
    reasons = {row["trial"]: row["reason"] for row in Results(tmp_path).trials().to_pylist()}
    assert reasons == {0: "no epoch within 4 s", 1: "RuntimeError: something broke"}


def test_a_full_disk_ends_the_study_and_no_run(make, tmp_path):
    controller, _, searcher, scheduler = make()
    trial, trainable = started(searcher)
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    result = trainable.train()
    assert result["done"]
    scheduler.on_trial_complete(None, trial, result)
    assert StudyStopper(controller).stop_all()
    with pytest.raises(StoreError, match=r"cannot be written \(.*\); make room and give the command again"):
        controller.raise_if_stopped()
    assert controller.progress().tasks[0].failed == 0


def test_the_lanes_that_pay_are_measured_once_a_lane_key_and_process(make, monkeypatch):
    asked, notes = [], []

    def choose_lanes(run, dataset, device, *, most, share, file):
        asked.append((run.regularizer, len(dataset.train_labels), device.type, most, share, file))
        return LaneChoice(3, 2.5, "x86")

    monkeypatch.setattr(study_trainables, "choose_lanes", choose_lanes)
    monkeypatch.setattr(LaneGroupTrainable, "_lanes", {})
    controller, groups, searcher, scheduler = make(lanes=None, search={"trials": 6, "pruner": "none"})
    controller.note = notes.append
    trial, trainable = started(searcher)
    result = trainable.train()
    assert result["message"] == LanesMeasured(3, 2.5, "x86")
    assert scheduler.on_trial_result(None, trial, result) == "CONTINUE"
    assert len(reports(trainable)) == len(groups.find(GROUP).runs) == 3
    # Started anew it has nothing to measure; another group with its key in this process has the number at hand.
    assert order_of(trial.config).measure_up_to is None
    another = LaneGroupOrder(order_of(trial.config).runs[:1], measure_up_to=6)
    assert trainable.reset(config_of("another", another))
    assert trainable.train()["message"] == LanesMeasured(3, 2.5, "x86")
    # What a processor is measured to do is not remembered.
    assert asked == [("weight-decay", 1437, "cpu", 6, 1.0, None)]
    assert notes == ["lanes: 3 on x86 for weight-decay, 2.5 x one run"]


def test_what_is_measured_is_said_once_for_each_device(make):
    controller, groups, _, scheduler = make(lanes=None)
    group, notes = groups.next_run(), []
    controller.note = notes.append
    for message in (
        LanesMeasured(64, 51.72, "NVIDIA H200"),
        LanesMeasured(64, 51.72, "NVIDIA H200"),
        LanesMeasured(64, 51.72, "NVIDIA H200", remembered=True),
        LanesMeasured(1, 1.0, "NVIDIA H200"),
    ):
        scheduler._say(group, message)
    assert notes == [
        "lanes: 64 on NVIDIA H200 for weight-decay, 51.7 x one run",
        "lanes: 64 on NVIDIA H200 for weight-decay, 51.7 x one run, as measured before",
        "lanes: 1 on NVIDIA H200 for weight-decay, more do not pay",
    ]


@pytest.mark.parametrize("trainable_class", [StudyTrainable, LaneGroupTrainable])
def test_a_gpu_that_torch_cannot_see_stops_the_study_before_training(make, monkeypatch, trainable_class):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(trainable_class, "trial_resources", SimpleNamespace(required_resources={"CPU": 1, "GPU": 0.5}))
    controller, groups, _, scheduler = make()
    order = groups.order(groups.next_run())
    config = config_of(GROUP, order if trainable_class is LaneGroupTrainable else order.runs[0])
    trainable = trainable_class(config)
    result = trainable.train()
    assert result["done"]
    scheduler.on_trial_complete(None, FakeTrial(config), result)
    with pytest.raises(ClusterError, match=r"Ray counts a GPU there, but torch .* sees none; install .* gpus = 0"):
        controller.raise_if_stopped()
    assert controller.progress().epochs == 0
    # The same process, given no GPU, trains.
    monkeypatch.setattr(trainable_class, "trial_resources", SimpleNamespace(required_resources={"CPU": 1}))
    assert trainable.reset(config)
    assert not isinstance(trainable.train()["message"], DeviceFault)


def test_a_group_that_is_told_that_its_machine_goes_reports_its_epoch_and_then_leaves(make, monkeypatch):
    _, _, searcher, _ = make()
    trial, trainable = started(searcher)
    step = LaneWorker.step
    with monkeypatch.context() as patch:
        patch.setattr(LaneWorker, "step", lambda worker: signal.raise_signal(signal.SIGTERM) or step(worker))
        assert [len(report.rows) for report in reports(trainable).values()] == [1, 1]
        patch.setattr(LaneWorker, "step", lambda _: pytest.fail("it trains on"))
        with pytest.raises(Preempted) as left:
            trainable.step()
    assert left.value.preempted  # no failure, for Tune
    assert list(reports(LaneGroupTrainable(dict(trial.config)))) == [order.key for order in order_of(trial.config).runs]


def test_runs_that_cannot_train_side_by_side_are_tried_alone_at_once(make, monkeypatch):
    controller, groups, searcher, scheduler = make()
    trial, trainable = started(searcher)

    def fails(_):
        raise ValueError("no (nets.py:7)")

    with monkeypatch.context() as patch:
        patch.setattr(LaneWorker, "step", fails)
        result = trainable.train()
    assert result["done"]
    assert "no (nets.py:7)" in result["message"].reason
    scheduler.on_trial_complete(None, trial, result)
    alone = [groups.next_run(), groups.next_run()]
    assert [run.key for run in alone] == [order.key for order in order_of(trial.config).runs]
    assert controller.progress().tasks[0].failed == 0


def test_what_lies_with_the_machine_of_a_group_is_raised(make, monkeypatch):
    _, _, searcher, _ = make()
    _, trainable = started(searcher)

    def full(_):
        raise MemoryError

    monkeypatch.setattr(LaneWorker, "step", full)
    with pytest.raises(MemoryError):
        trainable.step()


def test_other_data_on_a_machine_stop_the_study(make):
    controller, _, searcher, scheduler = make()
    controller._data_md5 = "0" * 32
    trial, trainable = started(searcher)
    result = trainable.train()
    assert result["done"]
    scheduler.on_trial_complete(None, trial, result)
    with pytest.raises(DataError, match=r"^machine .*: its data of digits have the md5"):
        controller.raise_if_stopped()


@pytest.mark.parametrize("error", [None, "", "\n"])
def test_a_process_that_left_no_word_is_said_to_have_left_none(error):
    assert failure_reason(SimpleNamespace(get_error=lambda: error)) == "its process ended without a word"
