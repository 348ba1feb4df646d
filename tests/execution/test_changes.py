"""A study that goes on with other code: refused where runs have succeeded with the earlier one, and else accepted."""

import importlib
import json
import re
import sys

import in_process
import pytest
from digits import digits_study

from tune_reg.errors import StoreError
from tune_reg.execution.changes import changes, refuse_or_accept
from tune_reg.execution.controller import StudyController
from tune_reg.store import Results
from tune_reg.store.retried import without_retried
from tune_reg.store.rows import from_arrow
from tune_reg.study import make_plan

NETS = """
from torch import nn
from {name}_blocks import fails_at

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers, self.calls = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), 0

    def forward(self, images):
        self.calls += 1
        if self.calls > fails_at():
            raise ValueError("no such layer")
        return self.layers(images)

def net(channels, image_size, classes):
    return Net()

def space(trial):
    return {{"weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-3, log=True)}}
"""
BLOCKS = "def fails_at():\n    return {calls}\n"
NEVER = 10_000


@pytest.fixture
def users(tmp_path, monkeypatch):
    """Writes the user's files anew, as if the next command were another process, and gives the study."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"users_{tmp_path.name.replace('-', '_')}"

    def study(calls=NEVER, *, replace=("", ""), **settings):
        (tmp_path / f"{name}.py").write_text(NETS.format(name=name).replace(*replace))
        (tmp_path / f"{name}_blocks.py").write_text(BLOCKS.format(calls=calls))
        for module in (name, f"{name}_blocks"):
            sys.modules.pop(module, None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        methods = {"weight-decay": {"space": f"{name}:space"}, "l1": {}}
        return digits_study(
            **{"model": f"{name}:net", "regularizers": methods, "search": {"trials": 4, "pruner": "none"}} | settings
        )

    before = sys.dont_write_bytecode
    yield study
    sys.dont_write_bytecode = before


def states(results):
    rows = from_arrow("trials", results.trials())
    return [row["state"] for row in without_retried(rows)]


def test_a_study_goes_on_once_its_code_was_mended(users, tmp_path):
    notes = []
    results = in_process.run_study(users(calls=30), tmp_path / "out", note=notes.append)
    assert states(results) == ["failed"] * 6, "two searches, each stopped after three"
    (reason,) = {row["reason"] for row in results.trials().to_pylist()}
    assert re.fullmatch(r"ValueError: no such layer \(.*users_\w+\.py:13\)", reason)
    assert len(notes) == 2
    del notes[:]
    results = in_process.run_study(users(), tmp_path / "out", note=notes.append)
    assert states(results) == ["complete"] * 8
    assert results.final()["state"].to_pylist() == ["complete"] * 2
    (note,) = notes
    assert re.search(r"was written, and taken as it is now: the model \(\w{8} before, \w{8} now\)$", note)
    assert [change["what"] for change in results.provenance()["changes"]] == ["the model"]


def test_a_run_under_way_begins_anew_with_the_mended_code(users, tmp_path):
    """Its checkpoint was trained by the code of before."""
    study = users()
    directory = tmp_path / "out"
    controller = in_process.opened(study, directory)
    run = controller.next_run()
    worker = in_process.worker_for(controller.order(run), in_process.CPU)
    controller.take(run.key, worker.step())
    assert list((directory / "checkpoints" / run.key).iterdir())
    in_process.opened(users(calls=NEVER + 1), directory)
    assert not (directory / "checkpoints" / run.key).exists()


@pytest.mark.parametrize(
    ("calls", "replace", "what"),
    [
        (NEVER + 1, ("", ""), r"the model \(\w{8} before, \w{8} now\)"),
        (NEVER, ("1e-3", "1e-2"), r"the space of weight-decay \(\w{8} before, \w{8} now\)"),
        (NEVER, ("nn.Flatten(),", "nn.Flatten(1),"), r"the model \(\w{8} before, \w{8} now\)"),
    ],
    ids=["a helper of the model", "a space", "the model"],
)
def test_code_that_runs_have_succeeded_with_is_refused_by_name(users, tmp_path, calls, replace, what):
    results = in_process.run_study(users(), tmp_path / "out")
    with pytest.raises(StoreError) as refused:
        in_process.run_study(users(calls, replace=replace, confirm={"seeds": 2}), tmp_path / "out")
    assert re.search(f"changed since runs succeeded there: {what}; bring it back, choose another", str(refused.value))
    assert "\n" not in str(refused.value)
    assert Results(tmp_path / "out").final().equals(results.final())
    grown = users(calls, replace=replace, confirm={"seeds": 2})
    accepted = in_process.run_study(grown, tmp_path / "out", accept_changes=True)
    assert accepted.final().num_rows == 4
    assert len(accepted.provenance()["changes"]) == 1


def test_what_the_study_does_not_use_may_change(users, tmp_path):
    in_process.run_study(users(), tmp_path / "out")
    more = users(replace=("def space", "# to come\ndef another(trial):\n    return {}\n\ndef space"))
    in_process.run_study(more, tmp_path / "out")
    assert "changes" not in Results(tmp_path / "out").provenance()


def provenance(**parts):
    whole = {
        "digests": {"model": "m", "dataset": "d", "regularizers": {"a": "r", "b": None}, "spaces": {"a": None}},
        "versions": {"torch": "2.14.0+cpu", "numpy": "2.1.0"},
        "code": {"version": "0.2.0"},
        "regularizers": {"a": {}, "b": {}},
    }
    return whole | parts


@pytest.mark.parametrize(
    ("part", "value", "methods"),
    [
        ("digests", {"model": "x"}, ("a", "b")),
        ("digests", {"model": None}, ("a", "b")),
        ("digests", {"regularizers": {"a": "x"}}, ("a",)),
        ("digests", {"spaces": {"a": "x"}}, ("a",)),
        ("digests", {"dataset": "x"}, ()),
        ("digests", {"regularizers": {"new": "x"}}, None),
        ("versions", {"torch": "2.15.0+cpu"}, ("a", "b")),
        ("versions", {"torch": "2.14.0+cu132"}, ()),
        ("versions", {"numpy": "2.2.0"}, ()),
        ("code", {"version": "0.3.0"}, ()),
        ("hardware", {"cpu": "another"}, None),
    ],
    ids=str,
)
def test_what_decides_numbers_and_what_is_noted(part, value, methods):
    """``methods``: whose numbers are decided; None where there is nothing to tell."""
    found = changes(provenance(), provenance(**{part: {**provenance().get(part, {}), **value}}))
    assert [change.methods for change in found] == ([] if methods is None else [methods])


def test_a_directory_without_digests_goes_on():
    before = provenance()
    del before["digests"]
    assert changes(before, provenance(versions={"torch": "1.0"})) == []


def test_another_torch_is_refused_once_runs_have_succeeded(tmp_path):
    results = in_process.run_study(digits_study(), tmp_path)
    path = tmp_path / "provenance.json"
    before = Results(tmp_path).provenance()
    path.write_text(json.dumps({**before, "versions": {**before["versions"], "torch": "1.0.0"}}))
    with pytest.raises(StoreError, match=r"changed since runs succeeded there: torch \(1\.0\.0 before, .* now\)"):
        in_process.run_study(digits_study(), tmp_path)
    assert results.final().num_rows == 1


def test_a_seed_that_a_trial_has_ended_on_is_a_result(tmp_path):
    study = digits_study(search={"trials": 1, "seeds": 2, "pruner": "none"})
    controller = in_process.opened(study, tmp_path)
    in_process.train(controller, controller.next_run())
    assert Results(tmp_path).trials().num_rows == 0
    found = changes(provenance(regularizers={"weight-decay": {}}), provenance(regularizers={"weight-decay": {}}))
    assert found == []
    changed = provenance(digests={"model": "x"}, regularizers={"weight-decay": {}})
    with pytest.raises(StoreError, match="the model"):
        refuse_or_accept(tmp_path, changes(provenance(), changed))


def test_a_pause_is_a_result(tmp_path):
    search = {"trials": 4, "sampler": "knowledge-gradient", "pruner": "pause"}
    controller = in_process.opened(digits_study(training={"epochs": 6, "batch_size": 64}, search=search), tmp_path)
    *_, paused = [controller.next_run() for _ in range(3)]  # the first two go to the end
    in_process.train(controller, paused)
    assert controller.progress().tasks[0].paused == 1
    assert Results(tmp_path).trials().num_rows == 0
    changed = provenance(digests={"model": "x"}, regularizers={"weight-decay": {}})
    with pytest.raises(StoreError, match="the model"):
        refuse_or_accept(tmp_path, changes(provenance(), changed))


def test_a_study_whose_hash_stays_keeps_what_it_grew_from(tmp_path):
    in_process.run_study(digits_study(), tmp_path)
    in_process.run_study(digits_study(confirm={"seeds": 2}), tmp_path)
    path = tmp_path / "provenance.json"
    before = Results(tmp_path).provenance()
    path.write_text(json.dumps({**before, "versions": {**before["versions"], "numpy": "1.0.0"}}))
    notes = []
    in_process.run_study(digits_study(confirm={"seeds": 2}), tmp_path, note=notes.append)
    after = Results(tmp_path).provenance()
    assert [len(after[name]) for name in ("grown_from", "changes")] == [1, 1]
    assert after["versions"] == json.loads(json.dumps(after["versions"])) != {**before["versions"], "numpy": "1.0.0"}
    assert "numpy (1.0.0 before," in notes[0]
    StudyController(make_plan(digits_study(confirm={"seeds": 2})), tmp_path)
    del notes[:]
    in_process.run_study(digits_study(confirm={"seeds": 2}), tmp_path, note=notes.append)
    assert notes == []
