"""Trials that are paused and go on: what is stored, how often it is trained, and what a killed process changes."""

import math

import in_process
import pytest
from digits import digits_study
from made_up import FINAL, epochs
from tables import everything

from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Completed, Diverged
from tune_reg.execution.recorder import Recorder
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.store import Results
from tune_reg.study import make_plan

EPOCHS = 6  # rungs at 2 and 6


def study(**settings):
    search = {"trials": 6, "sampler": "knowledge-gradient", "pruner": "pause", **settings.pop("search", {})}
    plain = {"training": {"epochs": EPOCHS, "batch_size": 64}, "confirm": {"seeds": 2}}
    return digits_study(**{**plain, "search": search, **settings})


def control(directory, **settings):
    """A controller whose directory can be read by ``Results``."""
    plan = make_plan(study(**settings))
    directory.mkdir(exist_ok=True)
    (directory / "study.toml").write_text(plan.study.to_toml())
    return StudyController(plan, directory)


def accuracy(run, epoch):
    """Best at a strength of 1e-3."""
    distance = abs(math.log10(run.trial.params["weight_decay"]) + 3)
    return round((0.9 - 0.05 * distance) * (1 - 0.5 ** (epoch + 1)) + 0.004 * run.training, 6)


class Workers:
    """Made-up workers: each run's epochs as its checkpoints hold them, which outlive every process."""

    def __init__(self):
        self.checkpoints = {}
        self.trained = []

    def train(self, controller, run, *, epochs_left=10_000):
        """Train a run until it is paused or over, or for so many epochs; what was decided last."""
        begun = self.checkpoints.get(run.key, 0)
        decision = Decision.CONTINUE
        if begun:
            decision = self._report(controller, run, 1, begun)
        while decision is Decision.CONTINUE and self.checkpoints.get(run.key, 0) < EPOCHS:
            if epochs_left == 0:
                return decision
            epochs_left -= 1
            epoch = self.checkpoints[run.key] = self.checkpoints.get(run.key, 0) + 1
            self.trained.append((run.key, epoch))
            decision = self._report(controller, run, epoch, epoch)
        return decision

    def _report(self, controller, run, first, last):
        rows = tuple(
            row for epoch in range(first, last + 1) for row in epochs(epoch, accuracy=accuracy(run, epoch)).rows
        )
        outcome = Completed(final=FINAL if run.stage == "confirm" else None) if last == EPOCHS else None
        return controller.take(run.key, type(epochs(1))(rows, outcome))


def carry_out(controller, workers, limit=1000):
    for _ in range(limit):
        if controller.finished:
            return
        workers.train(controller, controller.next_run())
    raise AssertionError("the study does not end")


@pytest.fixture(scope="module", params=[1, 2], ids=["one training", "two trainings"])
def seeds(request):
    return request.param


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, seeds):
    directory = tmp_path_factory.mktemp("uninterrupted")
    workers = Workers()
    carry_out(control(directory, search={"seeds": seeds}), workers)
    return everything(directory), expected_of(directory), workers.trained


def expected_of(directory):
    return Results(directory).expected().to_pylist()


def trials(directory):
    return sorted(Results(directory).trials().to_pylist(), key=lambda row: row["trial"])


def test_no_epoch_is_trained_twice_or_counted_twice(uninterrupted, seeds):
    tables, _, trained = uninterrupted
    assert len(set(trained)) == len(trained)
    rows = [dict(row) for row in tables["epochs"]]
    assert len(rows) == len(trained)
    searched = [row for row in rows if row["stage"] == "'search'"]
    assert 6 * EPOCHS * seeds - 2 < len(searched) <= 6 * EPOCHS * seeds
    assert sum(int(dict(row)["epochs_trained"]) for row in tables["trials"]) == len(searched)


def test_paused_trials_end_with_what_they_have_come_to(uninterrupted, tmp_path):
    tables, _, _ = uninterrupted
    rows = [dict(row) for row in tables["trials"]]
    states = {row["state"] for row in rows}
    assert states == {"'complete'", "'pruned'"}
    for row in rows:
        assert row["value"] != "None"
        assert (int(row["epochs_trained"]) % EPOCHS == 2) or row["state"] == "'complete'"


def test_a_pause_stores_its_epochs_and_keeps_its_checkpoint(tmp_path):
    controller, workers = control(tmp_path), Workers()
    while True:
        run = controller.next_run()
        if workers.train(controller, run) is Decision.PAUSE:
            break
    stored = [row["epoch"] for row in Results(tmp_path).epochs().to_pylist() if row["trial"] == run.trial.number]
    assert sorted(stored) == [1, 2]
    assert run.trial.number not in {row["trial"] for row in trials(tmp_path)}
    (task,) = controller.progress().tasks
    assert task.running == 0
    assert controller.take(run.key, epochs(3)) is Decision.STOP, "it is not under way any more"


def test_what_is_expected_is_stored_once_the_search_is_over_and_says_who_wins(tmp_path, seeds):
    controller, workers = control(tmp_path, search={"seeds": seeds}), Workers()
    while (run := controller.next_run()).stage == "search":
        assert expected_of(tmp_path) == []
        workers.train(controller, run)
    rows = expected_of(tmp_path)
    assert sorted(row["trial"] for row in rows) == [row["trial"] for row in trials(tmp_path)]
    assert all(row["expected_deviation"] > 0 for row in rows)
    best = max(rows, key=lambda row: (row["expected_value"], -row["trial"]))
    assert run.trial.number == best["trial"]
    assert Results(tmp_path).best("weight-decay") == run.trial.params
    assert run.trial.params["weight_decay"] == pytest.approx(1e-3, rel=2.0)


def test_the_winner_may_be_one_that_was_paused_for_good(tmp_path, monkeypatch):
    """Its row has its value so far; its parameters are those that are confirmed."""
    controller, workers = control(tmp_path), Workers()
    while True:
        run = controller.next_run()
        if workers.train(controller, run) is Decision.PAUSE:
            paused = run.trial.number
            break
    expected = AskTell.expected

    def of_paused(self, task):
        return [e._replace(mean=1.0 if e.number == paused else e.mean) for e in expected(self, task)]

    monkeypatch.setattr(AskTell, "expected", of_paused)
    monkeypatch.setattr(
        "tune_reg.search.model_search.ModelSearch.winner",
        lambda self: self._trial(self._trials()[paused].frozen),
    )
    carry_out(controller, workers)
    assert {row["trial"] for row in Results(tmp_path).final().to_pylist()} == {paused}
    assert Results(tmp_path).best("weight-decay") == run.trial.params


@pytest.mark.parametrize("lost", ["diverged", "given up"])
def test_the_best_is_none_that_was_lost_after_a_good_start(tmp_path, lost):
    controller, workers = control(tmp_path, search={"trials": 8}), Workers()
    gone, confirmed = set(), []
    while not controller.finished:
        run = controller.next_run()
        confirmed += [run] if run.stage == "confirm" else []
        if run.stage == "search" and run.trial.number >= 3 and workers.checkpoints.get(run.key, 0) >= 2:
            gone.add(run.trial.number)
            if lost == "diverged":
                controller.take(run.key, epochs(3, accuracy=math.nan, outcome=Diverged()))
            else:
                controller.give_up(run.key, "its process ended without a word")
        else:
            workers.train(controller, run)
    assert gone
    ((best, params),) = {run.trial.number: run.trial.params for run in confirmed}.items()
    assert best not in gone
    assert Results(tmp_path).best("weight-decay") == params
    assert not gone & {row["trial"] for row in expected_of(tmp_path)}
    assert {row["trial"]: row["state"] for row in trials(tmp_path)}[min(gone)] in ("diverged", "failed")


# A process that is killed


def test_killed_after_every_epoch_it_ends_as_the_uninterrupted_one(tmp_path, uninterrupted, seeds):
    """Nothing but the directory and the checkpoints is left of a process; one worker."""
    workers = Workers()
    for _ in range(2000):
        controller = control(tmp_path, search={"seeds": seeds})
        if controller.finished:
            break
        workers.train(controller, controller.next_run(), epochs_left=1)
    tables, expected, trained = uninterrupted
    assert workers.trained == trained
    assert everything(tmp_path) == tables
    assert expected_of(tmp_path) == expected


KILLS = {
    "before a row is written": (Recorder, "write_trial"),
    "before epochs are written": (Recorder, "write_search_epochs"),
    "before a report": (AskTell, "report"),
    "before a trial is told": (AskTell, "tell"),
    "before those over are known": (AskTell, "over"),
    "before what is expected is written": (Recorder, "write_expected"),
    "before files are joined": (Recorder, "compact_trials"),
}


class KilledError(BaseException):
    """As a process is killed: nothing handles it."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kill", KILLS)
def test_killed_at_any_step_it_ends_as_the_uninterrupted_one(tmp_path, uninterrupted, seeds, kill, after):
    """Each step is let happen once more in every process, and the next time it is killed before it, or just after."""
    owner, name = KILLS[kill]
    original = getattr(owner, name)
    workers = Workers()
    allowed, kills = 0, 0
    with pytest.MonkeyPatch.context() as patch:

        def dying(*arguments, **keys):
            nonlocal allowed
            if allowed > 0:
                allowed -= 1
                return original(*arguments, **keys)
            if after:
                original(*arguments, **keys)
            raise KilledError

        patch.setattr(owner, name, dying)
        for turn in range(3000):
            allowed = turn % 5
            try:
                controller = control(tmp_path, search={"seeds": seeds})
                if controller.finished:
                    break
                while not controller.finished:
                    workers.train(controller, controller.next_run())
            except KilledError:
                kills += 1
            else:
                break
    assert kills >= 1
    tables, expected, trained = uninterrupted
    assert workers.trained == trained
    assert everything(tmp_path) == tables
    assert expected_of(tmp_path) == expected


def test_a_worker_that_has_trained_on_past_a_pause_is_told_so_and_its_epochs_do_not_count(tmp_path):
    """Killed after the report that paused it; its process had trained on."""
    controller, workers = control(tmp_path), Workers()
    while True:
        run = controller.next_run()
        if run.trial.number == 3:
            break
        workers.train(controller, run)
    decision = controller.take(run.key, epochs(1, 2, 3, 4, accuracy=0.1))
    assert decision is Decision.PAUSE
    stored = [row["epoch"] for row in Results(tmp_path).epochs().to_pylist() if row["trial"] == 3]
    assert sorted(stored) == [1, 2]


@pytest.mark.parametrize("late", [4, 9])
def test_the_tests_of_a_training_may_come_after_its_last_epoch_while_others_ask(tmp_path, late):
    """As in lanes: nobody else is given the next training of the trial meanwhile, and none is made twice."""
    controller = control(tmp_path, search={"seeds": 2, "trials": 8}, confirm={"seeds": 1})
    live, waiting, done, begun = {}, {}, set(), set()
    for turn in range(3000):
        while len(live) + len(waiting) < 4 and (run := controller.next_run()) is not None:
            under_way = [other.trial.number for other in (*live.values(), *(r for r, _ in waiting.values()))]
            assert run.stage == "confirm" or run.trial.number not in under_way, "two runs of one trial at a time"
            assert run.key not in done
            live[run.key] = run
            begun.add(run.key)
        if controller.finished:
            break
        for key, (run, since) in list(waiting.items()):
            if turn - since >= late:
                del waiting[key]
                done.add(key)
                outcome = Completed(final=FINAL if run.stage == "confirm" else None)
                assert controller.take(key, epochs(outcome=outcome)) is Decision.STOP
        if live:
            key = sorted(live)[turn % len(live)]
            run = live[key]
            epoch = len(controller._live[key].rows) + 1
            decision = controller.take(key, epochs(epoch, accuracy=accuracy(run, epoch)))
            if decision is Decision.PAUSE:
                del live[key]
            elif epoch == EPOCHS:
                assert decision is Decision.CONTINUE
                waiting[key] = (live.pop(key), turn)
    assert controller.finished
    assert any(key.endswith("-seed-2") for key in begun)


# Trained for real


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_study_with_pauses_trains_each_epoch_once_in_lanes_too(tmp_path, lanes):
    chosen = study(search={"trials": 5}, regularizers=["weight-decay", "adadecay"], confirm={"seeds": 1})
    results = in_process.run_study(chosen, tmp_path, lanes=lanes)
    rows = [row for row in results.epochs().to_pylist() if row["stage"] == "search"]
    counted = {(row["regularizer"], row["trial"], row["seed"], row["epoch"]) for row in rows}
    assert len(counted) == len(rows)
    for name in ("weight-decay", "adadecay"):
        of_task = [row for row in rows if row["regularizer"] == name]
        assert 5 * EPOCHS - 2 < len(of_task) <= 5 * EPOCHS
    assert {row["state"] for row in results.trials().to_pylist()} == {"complete", "pruned"}
    best = {row["regularizer"]: row["trial"] for row in results.final().to_pylist()}
    for name, number in best.items():
        rows = [row for row in results.expected().to_pylist() if row["regularizer"] == name]
        assert number == max(rows, key=lambda row: row["expected_value"])["trial"]
    assert not [folder for folder in (tmp_path / "checkpoints").iterdir() if "-from-" not in folder.name]


def test_a_study_that_is_killed_as_it_trains_ends_as_the_uninterrupted_one(tmp_path):
    chosen = study(search={"trials": 4}, confirm={"seeds": 1})
    whole = in_process.run_study(chosen, tmp_path / "whole")
    taken = 0
    take = StudyController.take

    def dying(self, key, report):
        nonlocal taken
        decision = take(self, key, report)
        taken += 1
        if taken % 3 == 0:
            raise KilledError
        return decision

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudyController, "take", dying)
        for _ in range(60):
            try:
                results = in_process.run_study(chosen, tmp_path / "killed")
            except KilledError:
                continue
            break
    assert everything(results.directory) == everything(whole.directory)
    assert expected_of(results.directory) == expected_of(whole.directory)
