"""The journal in a store that cannot append."""

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tune_reg.errors import StoreError
from tune_reg.search import journal
from tune_reg.search.journal import ObjectJournal, join, open_journal, read_journal
from tune_reg.storage.remote_path import RemotePath


def logs(first, last):
    return [{"op_code": 0, "number": number} for number in range(first, last)]


@pytest.fixture
def path(store):
    return store / "search.journal"


@pytest.fixture(params=[500, 3], ids=["single", "joined"])
def objects_joined(request, monkeypatch):
    monkeypatch.setattr(journal, "_JOINED", request.param)


def test_what_is_appended_is_read_here_and_by_the_next(path, objects_joined):
    first = ObjectJournal(path)
    for number in range(8):
        first.append_logs(logs(number, number + 1))
    first.append_logs(logs(8, 11))
    assert first.read_logs(0) == logs(0, 11)
    assert first.read_logs(9) == logs(9, 11)
    second = ObjectJournal(path)
    assert second.read_logs(0) == logs(0, 11)
    assert [item.name for item in path.parent.files()] == ["search.journal"]
    second.append_logs(logs(11, 12))
    assert ObjectJournal(path).read_logs(0) == logs(0, 12)


class Killed(BaseException):
    pass


def test_a_process_killed_at_any_request_loses_and_doubles_nothing(path, objects_joined, monkeypatch):
    """Each write and each removal in turn is the last that the process makes."""
    real = {name: getattr(RemotePath, name) for name in ("create", "write_bytes", "unlink")}
    left = 0

    def dying(name):
        def call(self, *args, **keywords):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return real[name](self, *args, **keywords)

        return call

    done = 0  # appends that returned
    deaths = 0
    for name in real:
        monkeypatch.setattr(RemotePath, name, dying(name))
    for turn in range(60):
        left = turn % 13
        try:
            backend = ObjectJournal(path)
            assert len(backend.read_logs(0)) in (done, done + 1)
            done = len(backend.read_logs(0))
            assert backend.read_logs(0) == logs(0, done)
            for _ in range(7):
                backend.append_logs(logs(done, done + 1))
                done += 1
        except Killed:
            deaths += 1
    left = 10**9
    final = ObjectJournal(path).read_logs(0)
    assert final == logs(0, len(final))
    assert len(final) in (done, done + 1)
    assert deaths > 40
    assert done > 30


def test_a_second_writer_is_refused(path):
    first, second = ObjectJournal(path), ObjectJournal(path)
    second.append_logs(logs(0, 1))
    with pytest.raises(FileExistsError):
        first.append_logs(logs(5, 6))
    assert ObjectJournal(path).read_logs(0) == logs(0, 1)


def test_a_missing_object_is_told_and_nothing_removed(path):
    backend = ObjectJournal(path)
    for number in range(3):
        backend.append_logs(logs(number, number + 1))
    lost = sorted(path.parent.files())[1]
    lost.unlink()
    with pytest.raises(StoreError, match=r"the log 1 is missing, but .*000000000002.jsonl is there"):
        join(path)
    assert len(path.parent.files()) == 2


def test_it_is_optunas_own_file_once_it_is_brought_home(path, tmp_path):
    study = optuna.create_study(storage=open_journal(path), study_name="a")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3, callbacks=None)
    home = tmp_path / "home"
    for item in path.parent.files():
        target = home / item.path.removeprefix(f"{path.parent.path}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(item.read_bytes())
    open_journal(home / "search.journal")
    optunas = JournalStorage(JournalFileBackend(str(home / "search.journal")))
    brought = optuna.load_study(storage=optunas, study_name="a")
    assert [t.params for t in brought.trials] == [t.params for t in study.trials]


def test_who_only_reads_sees_every_log_and_writes_nothing(path, objects_joined):
    study = optuna.create_study(storage=JournalStorage(ObjectJournal(path)), study_name="a")
    for number in range(7):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        if number % 2:
            study.tell(trial, 0.25)
        before = {item.name: item.read_bytes() for item in path.parent.files()}
        read = read_journal(path)["a"]
        assert [trial.state.name for trial in read] == [trial.state.name for trial in study.trials]
        assert {item.name: item.read_bytes() for item in path.parent.files()} == before
