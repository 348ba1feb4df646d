"""How many lanes pay: measured once, and remembered."""

import json
import subprocess
import sys

import pytest
import torch

from tune_reg.data import load
from tune_reg.training import Run, TrainingSettings
from tune_reg.training.lanes import Measured, choice, choose_lanes
from tune_reg.training.lanes.choice import remembered

CPU = torch.device("cpu")


def run(**keys):
    training = TrainingSettings(epochs=1, batch_size=keys.pop("batch_size", 16))
    return Run("digits", keys.pop("model", "nn-2-small"), keys.pop("regularizer", "l1"), training=training, **keys)


@pytest.fixture
def asked(monkeypatch):
    """The numbers of lanes that are measured; each has a tenth of the rate above its double, up to 8."""
    numbers = []

    def measured(run, lanes, dataset, device, *, share):
        numbers.append(lanes)
        return Measured(min(lanes, 8) * 3.0, 0.0)

    monkeypatch.setattr(choice, "measured", measured)
    return numbers


def chosen(file, most=64, **keys):
    return choose_lanes(run(**keys), load("digits"), CPU, most=most, file=file)


def test_what_was_measured_is_not_measured_again(tmp_path, asked):
    file = tmp_path / "new" / "lanes.json"
    first, second = chosen(file), chosen(file)
    assert first[:2] == second[:2] == (8, 8.0)
    assert (first.remembered, second.remembered) == (False, True)
    assert asked == [1, 2, 4, 8, 16]
    (key,) = remembered(file)
    for word in (torch.__version__, "nn-2-small", "l1", "batch_size 16", "float32", "1437x8x8x1"):
        assert word in key


@pytest.mark.parametrize(
    "other", [{"batch_size": 32}, {"regularizer": "adadecay"}, {"fraction": 0.5}, {"most": 7}, {"model": "nn-2"}]
)
def test_another_kind_of_run_is_measured_by_itself(tmp_path, asked, other):
    file = tmp_path / "lanes.json"
    chosen(file)
    assert not chosen(file, **other).remembered
    assert len(remembered(file)) == 2
    assert chosen(file).remembered


def test_measuring_begins_where_it_ended_for_another_regularizer(tmp_path, asked):
    file = tmp_path / "lanes.json"
    chosen(file, regularizer="l1")
    del asked[:]
    assert chosen(file, regularizer="adadecay")[:2] == (8, 8.0)
    assert asked == [1, 4, 8, 16]
    del asked[:]
    assert chosen(file, regularizer="fob", most=5)[:2] == (4, 4.0)
    assert asked == [1, 2, 4]


def test_runs_that_differ_in_more_than_the_regularizer_begin_with_one_lane(tmp_path, asked):
    file = tmp_path / "lanes.json"
    chosen(file)
    del asked[:]
    chosen(file, regularizer="adadecay", batch_size=32)
    assert asked == [1, 2, 4, 8, 16]


def test_runs_that_differ_in_numbers_are_of_one_kind(tmp_path, asked):
    chosen(tmp_path / "lanes.json", params={"strength": 0.1}, seed=1)
    assert chosen(tmp_path / "lanes.json", params={"strength": 0.2}, seed=2, most=100).remembered


def test_a_model_of_the_users_is_measured_by_each_process(tmp_path, asked, monkeypatch):
    monkeypatch.setattr(choice, "_keys", lambda *_: ("the same", "alike"))
    for _ in range(2):
        assert not chosen(tmp_path / "lanes.json", model="my.nets:small").remembered
    assert not (tmp_path / "lanes.json").exists()


@pytest.mark.parametrize(
    "damaged",
    [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'{"a": 1}', "entry"],
)
def test_a_damaged_file_does_no_harm(tmp_path, asked, damaged):
    file = tmp_path / "lanes.json"
    chosen(file)
    (key,) = remembered(file)
    whole = json.dumps({key: ["many", float("nan")]}).encode()
    file.write_bytes(whole if damaged == "entry" else damaged)
    assert chosen(file)[:2] == (8, 8.0)
    assert asked == [1, 2, 4, 8, 16] * 2
    assert chosen(file).remembered


def test_a_file_that_cannot_be_written_does_no_harm(tmp_path, asked):
    (tmp_path / "file").write_text("no folder")
    assert chosen(tmp_path / "file" / "lanes.json")[:2] == (8, 8.0)


def test_what_another_process_has_written_meanwhile_stays(tmp_path, monkeypatch):
    file, asked = tmp_path / "lanes.json", []

    def measured(run, lanes, dataset, device, *, share):
        if not asked:
            asked.append(run)
            chosen(file, batch_size=32)
        return Measured(3.0, 0.0)

    monkeypatch.setattr(choice, "measured", measured)
    chosen(file)
    assert chosen(file).remembered
    assert chosen(file, batch_size=32).remembered


_WRITER = """
import sys
from pathlib import Path
from tune_reg.training.lanes.choice import Remembered, _remember
for i in range(200):
    _remember(Path(sys.argv[1]), f"{sys.argv[2]} {i}", Remembered(2, 1.5, ""))
"""


def test_two_processes_that_write_at_once_leave_a_whole_file(tmp_path):
    file = tmp_path / "lanes.json"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(file), name]) for name in "ab"]
    while any(writer.poll() is None for writer in writers):
        assert not file.exists() or isinstance(json.loads(file.read_bytes()), dict)
    assert [writer.returncode for writer in writers] == [0, 0]
    entries = json.loads(file.read_bytes())
    assert len(remembered(file)) == len(entries) >= 200


def test_one_lane_has_no_gain(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "measured", lambda *_, share: Measured(3.0, 0.0))
    assert chosen(tmp_path / "lanes.json")[:2] == (1, 1.0)
