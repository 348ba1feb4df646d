"""Trials at the others' best values in whole studies: what is stored, and what a killed process changes."""

import shutil

import in_process
import pytest
from digits import digits_study
from tables import everything

from tune_reg.execution.progress import stored_progress
from tune_reg.execution.results_directory import as_begun
from tune_reg.store import Results
from tune_reg.study import make_plan, shared_values_notes

SHARED = {"shared_values": True, "trials": 3}


def study(**search):
    return digits_study(
        regularizers={
            "weight-decay": {"start": [{"weight_decay": decay} for decay in (1e-2, 1e-3, 1e-5)]},
            "adadecay": {},
            "dropout": {},
        },
        search={**SHARED, **search},
        training={"epochs": 3, "batch_size": 64},
        model="nn-2",
    )


@pytest.fixture(scope="module", params=["knowledge-gradient", "tpe"])
def sampler(request):
    return request.param


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, sampler):
    directory = tmp_path_factory.mktemp("uninterrupted")
    in_process.run_study(study(sampler=sampler), directory)
    return directory


def shared(directory):
    rows = sorted(Results(directory).trials().to_pylist(), key=lambda row: (row["regularizer"], row["trial"]))
    return [row for row in rows if row["shared_from"] is not None]


def test_the_rows_of_trials_name_the_method_whose_values_they_have(uninterrupted):
    assert [(row["regularizer"], row["shared_from"]) for row in shared(uninterrupted)] == [
        ("adadecay", "weight-decay"),
        ("weight-decay", "adadecay"),
    ]
    for row in shared(uninterrupted):
        assert (row["state"], row["epochs_trained"]) == ("complete", 3)


def test_winners_are_picked_among_them_too(uninterrupted, sampler):
    if sampler != "knowledge-gradient":
        return
    expected = Results(uninterrupted).expected().to_pylist()
    for row in shared(uninterrupted):
        assert (row["regularizer"], row["trial"]) in {(e["regularizer"], e["trial"]) for e in expected}
    for row in Results(uninterrupted).final().to_pylist():
        of_method = [e for e in expected if e["regularizer"] == row["regularizer"]]
        assert row["trial"] == max(of_method, key=lambda e: (e["expected_value"], -e["trial"]))["trial"]


def test_a_killed_study_ends_with_the_same_tables(uninterrupted, sampler, tmp_path):
    for _ in range(100):
        controller = in_process.opened(study(sampler=sampler), tmp_path)
        if controller.finished:
            break
        in_process.train(controller, controller.next_run())
    assert everything(tmp_path) == everything(uninterrupted)


def test_progress_counts_them_beside_the_budget(uninterrupted, sampler):
    plan = make_plan(study(sampler=sampler))
    progress = stored_progress(plan, uninterrupted)
    assert [(task.added, task.budget) for task in progress.tasks] == [(1, 4), (1, 4), (0, 3)]
    assert all(task.used <= task.budget for task in progress.tasks)


def test_a_lost_journal_brings_no_more_of_them(uninterrupted, sampler, tmp_path):
    directory = shutil.copytree(uninterrupted, tmp_path / "copy")
    (directory / "search.journal").unlink()
    controller = in_process.opened(study(sampler=sampler), directory)
    assert controller.finished
    assert controller.next_run() is None


@pytest.mark.parametrize("before_there_was_a_choice", [False, True])
def test_a_directory_that_was_begun_without_goes_on_without(tmp_path, before_there_was_a_choice):
    without = study(sampler="tpe", shared_values=False)
    in_process.run_study(without, tmp_path)
    assert Results(tmp_path).study()["search"]["shared_values"] is False
    if before_there_was_a_choice:
        *lines, _its_digest = (tmp_path / "study.toml").read_text().splitlines()
        lines.remove("shared_values = false")
        (tmp_path / "study.toml").write_text("\n".join(lines))
        assert "shared_values" not in Results(tmp_path).study()["search"]
    named_nothing = type(without)(**{**without.to_plain(), "search": {"sampler": "tpe", "trials": 3}})
    assert named_nothing.search.shared_values
    assert not as_begun(tmp_path, named_nothing).search.shared_values
    assert in_process.opened(named_nothing, tmp_path).finished


def test_the_plan_says_how_many_there_may_be():
    (line,) = shared_values_notes(make_plan(study(sampler="tpe")))
    assert (
        line == "each method is also tried at the others' best weight_decay: at most 1 trial more a method, of 3 epochs"
    )
    assert shared_values_notes(make_plan(study(sampler="tpe", shared_values=False))) == []
