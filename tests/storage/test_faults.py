"""A store that fails while a study is under way."""

from types import SimpleNamespace

import pytest
from ray.tune.search import Searcher
from tune_reg.backends.ray.tune_adapters import FaultStopper, StudyScheduler, StudySearcher

from tune_reg import Study, cli
from tune_reg.errors import UnreachableError
from tune_reg.execution.controller import StudyController
from tune_reg.storage.remote_path import RemotePath

STUDY = Study(
    name="faults",
    dataset="digits",
    model="nn-2-small",
    regularizers=["weight-decay"],
    training={"epochs": 2, "batch_size": 64},
    search={"trials": 3, "pruner": "none"},
    confirm={"seeds": 1},
)


def row(epoch):
    numbers = dict.fromkeys(("learning_rate", "strength", "train_loss", "val_loss", "val_accuracy", "wall_s"), 0.5)
    return {"epoch": epoch, **numbers}


@pytest.fixture
def lost(monkeypatch):
    """Call it, and the store takes nothing more."""

    def lose():
        def refuse(self, data):
            raise UnreachableError(str(self), "no answer")

        monkeypatch.setattr(RemotePath, "create", refuse)
        monkeypatch.setattr(RemotePath, "write_bytes", refuse)

    return lose


def told(sweep):
    assert isinstance(sweep.fatal, UnreachableError)
    assert str(sweep.fatal).startswith(f"{sweep.directory}: cannot be reached or used (no answer)")
    return FaultStopper(sweep).stop_all()


def test_a_result_that_cannot_be_written_ends_the_study(store, lost):
    sweep = StudyController(STUDY, store)
    run = sweep.next()
    lost()
    trial = SimpleNamespace(config={"key": run.key})
    StudyScheduler(sweep).on_trial_result(None, trial, {"rows": [row(1)]})
    assert told(sweep)
    assert StudySearcher(sweep, slots=lambda: 4, data_root=None).suggest("next") == Searcher.FINISHED


def test_a_run_that_cannot_be_asked_for_ends_the_study(store, lost):
    sweep = StudyController(STUDY, store)
    lost()
    assert StudySearcher(sweep, slots=lambda: 4, data_root=None).suggest("first") == Searcher.FINISHED
    assert told(sweep)


def test_a_checkpoint_that_a_runs_process_cannot_write_ends_the_study(store):
    sweep = StudyController(STUDY, store)
    trial = SimpleNamespace(config={"key": sweep.next().key})
    StudyScheduler(sweep).on_trial_complete(None, trial, {"disk": "no answer"})
    assert told(sweep)


def test_it_goes_on_from_what_was_stored(store, monkeypatch):
    sweep = StudyController(STUDY, store)
    first = sweep.next()
    sweep.on_epochs(first.key, [row(1), row(2)])
    sweep.end(first.key, "complete")
    second = sweep.next()
    with monkeypatch.context() as patch:
        patch.setattr(RemotePath, "create", lambda self, data: (_ for _ in ()).throw(UnreachableError(str(self), "x")))
        with pytest.raises(UnreachableError):
            sweep.on_epochs(second.key, [row(1)])
    again = StudyController(STUDY, store)
    assert again.next().key == second.key
    assert again.store.keys("trials") == {first.key}


def test_the_command_ends_with_1_where_the_store_is_lost_and_with_2_where_the_user_is_wrong(monkeypatch, capsys):
    for error, code in ((UnreachableError("s3://bucket/mine", "no answer"), 1), (cli.TuneRegError("wrong"), 2)):

        def app(error=error):
            raise error

        monkeypatch.setattr(cli, "app", app)
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == code
        assert capsys.readouterr().err == f"tune-reg: {error}\n"
