"""A training loop of the user's is tried before the start: what would fail in an hour fails here, in one line."""

import random

import own_loops
import pytest

from tune_reg.errors import StudyError
from tune_reg.execution.preflight import preflight
from tune_reg.study import Study, make_plan


def plan(loop, *regularizers, **settings):
    data = {} if "dataset" in settings else {"examples": own_loops.EXAMPLES}
    return make_plan(
        Study(
            name="x",
            trainer=f"own_loops:{loop}",
            regularizers=list(regularizers or ["weight-decay"]),
            training={"epochs": 3, "batch_size": 20},
            **data,
            **settings,
        )
    )


def test_a_sound_loop_is_called_up_to_its_first_report(tmp_path, monkeypatch):
    monkeypatch.setenv(own_loops.LOG, str(tmp_path))
    before = random.getstate()
    assert preflight(plan("saves")) == []
    assert own_loops.logged(tmp_path) == [(0, 0, 1)]
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ("no_report", "it ended without run.report(epoch, accuracy=...); report each of run.epochs epochs"),
        ("ends_the_program", "fails before its first run.report (SystemExit: enough ("),
        ("stays", "it went on after run.report had ended it; let exceptions that are no Exception pass"),
        ("no_metric", "run.report: val_accuracy must be among the metrics, but got acc"),
        ("bad_size", "run.training_set.indices: the study's key examples says 120 training examples, but got 7"),
        ("bad_attribute", "fails before its first run.report (AttributeError: 'TrainerRun' object has no attribute"),
    ],
)
def test_a_mistake_is_one_line(loop, message):
    with pytest.raises(StudyError) as raised:
        preflight(plan(loop))
    assert str(raised.value).startswith(f"trainer 'own_loops:{loop}': ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_loop_is_tried_in_the_metric_of_the_study():
    error = {"name": "error", "goal": "minimize"}
    assert preflight(plan("errors", metric=error)) == []
    with pytest.raises(StudyError, match="val_error must be among the metrics, but got accuracy"):
        preflight(plan("saves", metric=error))
    with pytest.raises(StudyError, match=r"it ended without run\.report\(epoch, error=\.\.\.\)"):
        preflight(plan("no_report", metric=error))


def test_a_regularizer_that_the_loop_leaves_out_is_told():
    assert preflight(plan("net_without_loss", "weight-decay", "l1", dataset="digits")) == []
    with pytest.raises(StudyError) as raised:
        preflight(plan("net_without_loss", "weight-decay", "label-smoothing", "noise-injection", dataset="digits"))
    assert str(raised.value).splitlines() == [
        f"trainer 'own_loops:net_without_loss': {name} acts by its {hook}, which the loop leaves out; call "
        f"run.{piece}, or read run.params where the loop does it by hand"
        for name, hook, piece in (("label-smoothing", "targets", "loss"), ("noise-injection", "inputs", "inputs"))
    ]


def test_another_metric_is_asked_for_by_its_name():
    by_error = {"metric": {"name": "error", "goal": "minimize"}}
    assert preflight(plan("errors", **by_error)) == []
    with pytest.raises(StudyError, match="val_error must be among the metrics, but got accuracy"):
        preflight(plan("saves", **by_error))
    with pytest.raises(StudyError, match=r"it ended without run\.report\(epoch, error=\.\.\.\)"):
        preflight(plan("no_report", **by_error))


def test_without_the_data_set_the_loop_is_not_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNE_REG_DATA", str(tmp_path))
    monkeypatch.setattr("tune_reg.execution.preflight.trainer.at_hand", lambda *_: None)
    (note,) = preflight(plan("no_report", dataset="digits"))
    assert "so the trainer was not tried" in note
