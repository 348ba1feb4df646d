"""The trial at the best point of the whole space in whole studies: what is stored, and what a kill changes."""

import shutil

import in_process
import pytest
from digits import digits_study
from tables import everything

from tune_reg.execution.progress import stored_progress
from tune_reg.store import Results
from tune_reg.study import best_of_space_notes, make_plan, unused_settings

#: Of two hyperparameters, so that the best point is hardly ever one that was tried.
METHODS = {"weight-decay": {}, "dropout": {"momentum": {"low": 0.5, "high": 0.99}}}


def study(**search):
    return digits_study(
        regularizers=METHODS,
        search={"sampler": "knowledge-gradient", "trials": 4, "pick": "space", "shared_values": False, **search},
        training={"epochs": 3, "batch_size": 64},
        model="nn-2",
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("uninterrupted")
    in_process.run_study(study(), directory)
    return directory


def marked(directory):
    return [row for row in Results(directory).trials().to_pylist() if row["picked_from"] is not None]


def test_its_row_is_marked_and_it_was_trained_to_the_end_beside_the_budget(uninterrupted):
    (row,) = (row for row in marked(uninterrupted) if row["regularizer"] == "dropout")
    assert (row["picked_from"], row["state"], row["epochs_trained"]) == ("space", "complete", 3)
    others = [r for r in Results(uninterrupted).trials().to_pylist() if r["regularizer"] == "dropout" and r != row]
    assert max(r["trial"] for r in others) < row["trial"]
    assert sum(r["epochs_trained"] for r in others) <= 4 * 3


def test_the_highest_expected_value_wins_all_the_same(uninterrupted):
    expected = Results(uninterrupted).expected().to_pylist()
    assert {(row["regularizer"], row["trial"]) for row in marked(uninterrupted)} <= {
        (each["regularizer"], each["trial"]) for each in expected
    }
    for row in Results(uninterrupted).final().to_pylist():
        of_method = [each for each in expected if each["regularizer"] == row["regularizer"]]
        assert row["trial"] == max(of_method, key=lambda e: (e["expected_value"], -e["trial"]))["trial"]


def test_a_killed_study_ends_with_the_same_tables(uninterrupted, tmp_path):
    for _ in range(100):
        controller = in_process.opened(study(), tmp_path)
        if controller.finished:
            break
        in_process.train(controller, controller.next_run())
    assert everything(tmp_path) == everything(uninterrupted)


def test_progress_counts_it_beside_the_budget(uninterrupted):
    progress = stored_progress(make_plan(study()), uninterrupted)
    added = {row["regularizer"] for row in marked(uninterrupted)}
    assert {task.task.regularizer: task.added for task in progress.tasks} == {m: int(m in added) for m in METHODS}
    assert all(task.used <= task.budget for task in progress.tasks)


def test_a_lost_journal_brings_no_more_of_them(uninterrupted, tmp_path):
    directory = shutil.copytree(uninterrupted, tmp_path / "copy")
    (directory / "search.journal").unlink()
    controller = in_process.opened(study(), directory)
    assert controller.finished
    assert controller.next_run() is None


def test_the_plan_tells_of_it_and_settings_that_it_means_nothing_with_are_named():
    (line,) = best_of_space_notes(make_plan(study()))
    assert line == "each search ends with a trial at the best point of its space: 1 trial more a search, of 3 epochs"
    assert best_of_space_notes(make_plan(study(pick="trial"))) == []
    without_a_model = study(sampler="tpe")
    assert best_of_space_notes(make_plan(without_a_model)) == []
    assert unused_settings(without_a_model) == [
        "search.pick: means nothing without the model of the sampler knowledge-gradient; drop it"
    ]
