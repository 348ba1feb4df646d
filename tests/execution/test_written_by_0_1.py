"""Results directories that release 0.1 wrote: an interrupted study goes on, a finished one stays as it is."""

import json
import shutil
from pathlib import Path

import in_process
import pytest
from tables import sorted_rows

from tune_reg.execution.controller import StudyController
from tune_reg.store import Results
from tune_reg.study import Study, make_plan

WRITTEN = Path(__file__).parents[1] / "written_by_0_1"
UNINTERRUPTED = json.loads((WRITTEN / "uninterrupted.json").read_text())


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    directory = tmp_path_factory.mktemp("continued") / "interrupted"
    shutil.copytree(WRITTEN / "interrupted", directory)
    study = Study(**Results(directory).study())
    return in_process.run_study(study, directory)


#: Another processor rounds them otherwise.
LOSSES = ("train_loss", "val_loss", "test_loss")


def losses(rows):
    """The losses of rows, in an order that they do not decide."""
    ordered = sorted(rows, key=lambda row: sorted_rows([row], without=LOSSES))
    return [row[name] for row in ordered for name in LOSSES if name in row]


@pytest.mark.parametrize("table", UNINTERRUPTED)
def test_an_interrupted_study_ends_with_the_numbers_of_the_uninterrupted_one(continued, table):
    expected = UNINTERRUPTED[table]
    rows = getattr(continued, table)().select(list(expected[0])).to_pylist()
    assert sorted_rows(rows, without=LOSSES) == sorted_rows(expected, without=LOSSES)
    assert losses(rows) == pytest.approx(losses(expected), rel=5e-3, nan_ok=True)


def test_a_finished_study_has_nothing_left_to_train(tmp_path):
    directory = tmp_path / "finished"
    shutil.copytree(WRITTEN / "finished", directory)
    controller = StudyController(make_plan(Study(**Results(directory).study())), directory)
    assert controller.finished
    assert controller.next_run() is None


def test_the_hash_of_a_study_is_what_it_was():
    root = Path(__file__).parents[2]
    plain = Study.from_toml(root / "studies" / "digits.toml").to_plain()
    # As the study was searched then: sampler and pruner were what a study has that names none.
    plain["search"] |= {"sampler": "tpe-gp", "pruner": "predicted", "reduction_factor": 2, "min_epochs": 2}
    plain["confirm"] = {"seeds": 5}  # the default then
    plain["fractions"] = [0.25, 1.0]  # the file's, then
    assert Study(**plain).hash == "58be5177b9c3bca5"
    for name in ("finished", "interrupted"):
        results = Results(WRITTEN / name)
        assert Study(**results.study()).hash == results.provenance()["study_hash"]
