"""When the parts of a study are tried before it starts; no Ray is started for that."""

import in_process
import pytest
from digits import digits_study

import tune_reg
from tune_reg.backends.ray import launch


@pytest.fixture
def tried(monkeypatch):
    """How often the parts were tried; each time there is something to say."""
    times = []
    monkeypatch.setattr(launch, "preflight", lambda *_: times.append(1) or ["a thing to know"])
    monkeypatch.setattr(launch, "_carry_out", lambda *_: None)
    monkeypatch.setattr(launch, "raise_if_nothing_succeeded", lambda *_: None)
    return times


def test_a_study_that_is_done_is_not_tried_again(tmp_path, tried):
    study = digits_study(search={"trials": 1})
    in_process.run_study(study, tmp_path)
    notes = []
    launch.run_study(study, tmp_path, note=notes.append)
    assert (tried, notes) == ([], [])


def test_a_study_is_tried_when_it_begins_goes_on_or_grows(tmp_path, tried):
    notes = []
    for trials in (1, 1, 2):
        launch.run_study(digits_study(search={"trials": trials}), tmp_path, note=notes.append)
    assert (len(tried), notes) == (3, ["a thing to know"] * 3)
    launch.run_study(digits_study(search={"trials": 2}), tmp_path, skip_preflight=True)
    assert len(tried) == 3


def test_python_warns_of_what_the_command_prints(tmp_path, tried, caplog):
    plain = digits_study(search={"trials": 1, "pruner": "none", "reduction_factor": 2}).to_plain()
    with pytest.warns(UserWarning, match="drop it") as warned:
        tune_reg.Study(**plain).run(tmp_path)
    assert [str(each.message).split(":")[0] for each in warned] == ["search.reduction_factor"]
    assert {each.filename for each in warned} == {__file__}
    assert [record.getMessage() for record in caplog.records if record.name == "tune_reg"] == ["a thing to know"]
