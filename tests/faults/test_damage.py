"""A results directory that was damaged: the same numbers, or one line that names the file; never other numbers."""

import random
import shutil
import zlib

import pytest
from damage import KINDS, damage
from digits import digits_study
from tables import sorted_rows

import analysis
from tune_reg import load
from tune_reg.data import load as load_data
from tune_reg.errors import TuneRegError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.provenance import write_provenance
from tune_reg.execution.results_directory import claim, refuse_another_study
from tune_reg.study import make_plan

STUDY = digits_study(
    regularizers=["weight-decay", "adadecay"],
    search={"trials": 4, "pruner": "asha", "reduction_factor": 2},
    confirm={"seeds": 2},
)


def accuracy(run):
    """A number that is always that of the run."""
    return 0.5 + zlib.crc32(repr((run.key, sorted(run.trial.params.items()))).encode()) % 1000 / 2500


def go_on(directory, study=STUDY):
    """What ``run`` does with the directory, with made-up results; the keys of the runs that it makes."""
    refuse_another_study(directory, study)
    claim(directory, study)
    plan = make_plan(study)
    write_provenance(directory, plan, load_data(study.dataset))
    controller = StudyController(plan, directory)
    runs = []
    while not controller.finished:
        run = controller.next_run()
        runs.append(run.key)
        _finish(controller, run)
    return runs


def _finish(controller, run):
    from made_up import completed, epochs

    from tune_reg.execution.messages import Decision

    value = accuracy(run)
    if controller.take(run.key, epochs(1, accuracy=value)) is Decision.CONTINUE:
        controller.take(run.key, completed(run, value))


def numbers(directory):
    """What a report shows: the tables and the rows of results."""
    results = load(directory)
    tables = [sorted_rows(getattr(results, name)().to_pylist()) for name in ("trials", "epochs", "final", "robustness")]
    return tables, analysis.result_rows(results), [results.best(name) for name in STUDY.regularizers]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    go_on(directory)
    assert {dict(row)["state"] for row in numbers(directory)[0][0]} == {"'complete'", "'pruned'"}
    return directory


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    directory = tmp_path_factory.mktemp("stranger")
    go_on(directory, STUDY.model_copy(update={"seed": 7}))
    return directory


def files_of(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file())


def one_line(error, directory):
    text = str(error)
    assert "\n" not in text
    assert str(directory) in text, text
    return text


def trial_of_damage(whole, stranger, directory, rng):
    """One damage, a report and a run; what went wrong, or None."""
    shutil.copytree(whole, directory)
    expected = numbers(whole)
    path = rng.choice(files_of(directory))
    kind = rng.choice(KINDS)
    name = path.relative_to(directory)
    damage(path, kind, rng, stranger / name if (stranger / name).exists() else None)
    what = f"{kind} {name}"
    try:
        if numbers(directory) != expected and not analysis.lost_sentences(load(directory)):
            missing = analysis.missing(load(directory))
            if missing == analysis.missing(load(whole)):
                return f"{what}: report has other numbers"
    except TuneRegError as error:
        one_line(error, directory)
    try:
        go_on(directory)
        if numbers(directory) != expected:
            return f"{what}: run has other numbers"
    except TuneRegError as error:
        one_line(error, directory)
    return None


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_random_damages_are_named_or_mended(whole, stranger, tmp_path, seed):
    rng = random.Random(seed)
    wrong = [trial_of_damage(whole, stranger, tmp_path / str(i), rng) for i in range(300 if seed else 40)]
    assert not [what for what in wrong if what is not None]
