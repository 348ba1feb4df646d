"""A store that fails while a study is under way."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from digits import digits_study
from made_up import epochs, finish
from ray.tune.search import Searcher

from tune_reg import cli
from tune_reg.backends.ray.scheduler import StudyScheduler, StudyStopper
from tune_reg.backends.ray.searcher import StudySearcher
from tune_reg.errors import TuneRegError, UnreachableError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Completed, StorageFault
from tune_reg.search.decision import Decision
from tune_reg.storage.remote_path import RemotePath
from tune_reg.store import Results
from tune_reg.study import make_plan

PLAN = make_plan(digits_study())


@pytest.fixture
def lose(monkeypatch):
    """Call it, and the store takes nothing more."""

    def lose():
        def refuse(self, data):
            raise UnreachableError(str(self), "no answer")

        monkeypatch.setattr(RemotePath, "create", refuse)
        monkeypatch.setattr(RemotePath, "write_bytes", refuse)

    return lose


@pytest.fixture
def controller(store):
    return StudyController(PLAN, store)


def tune_trial(run):
    return SimpleNamespace(config={"key": run.key})


def assert_stopped(controller):
    assert StudyStopper(controller).stop_all()
    assert StudySearcher(controller, slots=lambda: 4).suggest("next") == Searcher.FINISHED
    with pytest.raises(UnreachableError) as error:
        controller.raise_if_stopped()
    assert str(error.value).startswith(f"{controller.directory}: cannot be reached or used (no answer)")


def test_a_result_that_cannot_be_written_ends_the_study(controller, lose):
    run = controller.next_run()
    lose()
    result = {"message": epochs(1)}
    # It ends as a whole: no run of it is over.
    assert StudyScheduler(controller, Mock()).on_trial_result(None, tune_trial(run), result) == "CONTINUE"
    assert_stopped(controller)


def test_a_run_that_cannot_be_asked_for_ends_the_study(controller, lose):
    lose()
    assert StudySearcher(controller, slots=lambda: 4).suggest("first") == Searcher.FINISHED
    assert_stopped(controller)


def test_a_checkpoint_that_the_process_of_a_run_cannot_write_ends_the_study(controller):
    trial = tune_trial(controller.next_run())
    StudyScheduler(controller, Mock()).on_trial_complete(None, trial, {"message": StorageFault("no answer")})
    assert_stopped(controller)


def test_it_goes_on_from_what_was_stored(store, controller, monkeypatch):
    first = controller.next_run()
    finish(controller, first)
    second = controller.next_run()

    def refuse(self, data):
        raise UnreachableError(str(self), "no answer")

    with monkeypatch.context() as patch:
        patch.setattr(RemotePath, "create", refuse)
        assert controller.take(second.key, epochs(1, 2, outcome=Completed())) is Decision.CONTINUE
    assert_stopped(controller)
    assert Results(store).trials()["trial"].to_pylist() == [first.trial.number]
    assert StudyController(PLAN, store).next_run().key == second.key


def test_the_command_ends_with_1_where_the_store_is_lost_and_with_2_where_the_user_is_wrong(monkeypatch, capsys):
    for error, code in ((UnreachableError("s3://bucket/mine", "no answer"), 1), (TuneRegError("wrong"), 2)):

        def app(error=error):
            raise error

        monkeypatch.setattr("tune_reg.cli.app.app", app)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == code
        assert capsys.readouterr().err == f"tune-reg: {error}\n"
