"""A results directory that was damaged: the same numbers, or one line that names the file; never other numbers."""

import json
import random
import shutil
import zlib

import pytest
from damage import KINDS, damage
from digits import digits_study
from made_up import completed, epochs
from tables import sorted_rows

import analysis
from search_spaces import SearchSpace, loguniform, uniform
from tune_reg import load
from tune_reg.data import load as load_data
from tune_reg.errors import StoreError, TuneRegError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.provenance import make_provenance, write_provenance
from tune_reg.execution.results_directory import claim, refuse_another_study
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.study import SearchSettings, Task, make_plan

STUDY = digits_study(
    regularizers=["weight-decay", "adadecay"],
    search={"trials": 6, "pruner": "asha", "reduction_factor": 2},
    confirm={"seeds": 2},
)


def accuracy(run):
    """A number that is always that of the run."""
    return 0.5 + zlib.crc32(repr((run.key, sorted(run.trial.params.items()))).encode()) % 1000 / 2500


def go_on(directory, study=STUDY, limit=1000):
    """What ``run`` does with a directory, with results that are made up; the keys of the runs that it makes."""
    refuse_another_study(directory, study)
    claim(directory, study)
    plan = make_plan(study)
    write_provenance(directory, make_provenance(plan, load_data(study.dataset)))
    controller = StudyController(plan, directory)
    keys = []
    while not controller.finished and len(keys) < limit:
        run = controller.next_run()
        keys.append(run.key)
        if controller.take(run.key, epochs(1, accuracy=accuracy(run))) is Decision.CONTINUE:
            controller.take(run.key, completed(run, accuracy(run)))
    return keys


def tables(directory):
    results = load(directory)
    return [
        sorted_rows(getattr(results, name)().to_pylist())
        for name in ("trials", "epochs", "final", "robustness", "decisions")
    ]


def numbers(directory):
    """What a report and its readers show."""
    results = load(directory)
    return tables(directory), analysis.result_rows(results), [results.best(name) for name in STUDY.regularizers]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    go_on(directory)
    assert {dict(row)["state"] for row in tables(directory)[0]} == {"'complete'", "'pruned'"}
    return directory


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    directory = tmp_path_factory.mktemp("stranger")
    go_on(directory, STUDY.model_copy(update={"seed": 7}))
    return directory


@pytest.fixture
def directory(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "out")


def what_went_wrong(whole, stranger, directory, rng):
    """One damage, a report, and a run: what they did that they must not, in words; None where they did well."""
    shutil.copytree(whole, directory)
    expected = numbers(whole)
    path = rng.choice(sorted(path for path in directory.rglob("*") if path.is_file()))
    kind, name = rng.choice(KINDS), path.relative_to(directory)
    damage(path, kind, rng, stranger / name if (stranger / name).exists() else None)
    for does, act in (("report", lambda: None), ("run", lambda: go_on(directory))):
        try:
            act()
            told = analysis.missing(load(directory)) != analysis.missing(load(whole))
            if numbers(directory) != expected and not (told and does == "report"):
                return f"{kind} {name}: {does} has other numbers"
        except TuneRegError as error:
            if "\n" in str(error) or str(directory) not in str(error):
                return f"{kind} {name}: {does} says {error}"
    return None


@pytest.mark.parametrize("damages", [25, pytest.param(400, marks=pytest.mark.slow)])
def test_random_damages_are_mended_or_named(whole, stranger, tmp_path, damages):
    rng = random.Random(damages)
    wrong = [what_went_wrong(whole, stranger, tmp_path / str(number), rng) for number in range(damages)]
    assert [what for what in wrong if what is not None] == []


@pytest.mark.parametrize("kind", ["flip", "zero", "folder", "delete", "empty"])
def test_a_journal_that_is_damaged_or_lost_is_made_anew_from_the_tables(whole, directory, kind, caplog):
    journal = directory / "search.journal"
    if kind == "flip":
        journal.write_bytes(journal.read_bytes().replace(b'"op_code":4', b'"op_code";4', 1))
    elif kind == "zero":
        data = journal.read_bytes()
        journal.write_bytes(data[:300] + bytes(100) + data[400:])
    else:
        damage(journal, kind, random.Random(0))
    before = analysis.result_rows(load(directory))
    assert before == analysis.result_rows(load(whole))
    named = any("search.journal cannot be read" in sentence for sentence in analysis.missing(load(directory)))
    assert named == (kind in ("flip", "zero", "folder"))
    assert go_on(directory) == []
    assert f"{journal} " in caplog.text
    assert "made anew from the tables" in caplog.text
    assert numbers(directory) == numbers(whole)
    assert go_on(directory) == []
    assert caplog.text.count("made anew") == 1


@pytest.mark.parametrize("stop_after", range(2, 13, 3))
@pytest.mark.parametrize("lines", [0, 40])
def test_a_study_ends_as_the_uninterrupted_one_with_a_journal_that_was_lost_or_is_older(
    whole, tmp_path, stop_after, lines
):
    go_on(tmp_path, limit=stop_after)
    journal = tmp_path / "search.journal"
    older = journal.read_bytes().splitlines(keepends=True)[:lines]
    journal.write_bytes(b"".join(older)) if older else journal.unlink()
    go_on(tmp_path)
    assert numbers(tmp_path) == numbers(whole)


def parts_of(directory, table):
    return sorted((directory / "tables" / table).glob("*.parquet"))


@pytest.mark.parametrize("table", ["trials", "epochs"])
def test_parts_of_the_search_that_are_lost_are_named_and_trained_again(whole, directory, table):
    lost = directory / "tables" / table / "compacted-00001.parquet"
    lost.unlink()
    (sentence,) = analysis.lost_sentences(load(directory))
    assert sentence.startswith(f"tables/{table} has lost ")
    assert "-at-1-trial-00000" in sentence
    if table == "trials":
        with pytest.raises(
            StoreError, match=r"tables/trials has lost .*; bring it back from a copy, or give the `run`"
        ):
            [load(directory).best(name) for name in STUDY.regularizers]
    again = go_on(directory)
    assert again
    assert all("-from-" not in key for key in again)
    assert numbers(directory) == numbers(whole)
    assert analysis.lost_sentences(load(directory)) == ()
    assert go_on(directory) == []


def test_epochs_of_a_confirmed_run_that_are_lost_are_named_and_trained_again(whole, directory):
    lost = next(path for path in parts_of(directory, "epochs") if "-from-" in path.name)
    lost.unlink()
    assert lost.stem in " ".join(analysis.missing(load(directory)))
    assert go_on(directory) == [lost.stem]
    assert numbers(directory) == numbers(whole)


def test_what_is_left_of_a_trial_whose_configuration_was_lost_goes(tmp_path):
    """Else the next configuration of that number would go on from its checkpoint."""
    go_on(tmp_path, limit=2)
    controller = StudyController(make_plan(STUDY), tmp_path)
    begun, confirmed = controller.next_run(), "weight-decay-from-1-at-1-trial-00000-seed-1"
    for key in (begun.key, confirmed):
        (tmp_path / "checkpoints" / key).mkdir(parents=True)
    StudyController(make_plan(STUDY), tmp_path)
    assert (tmp_path / "checkpoints" / begun.key).exists()
    (tmp_path / "search.journal").unlink()
    StudyController(make_plan(STUDY), tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [confirmed]


def test_a_space_that_is_a_function_which_returns_other_names_is_refused_without_its_journal(tmp_path):
    study = digits_study(regularizers={"weight-decay": other_names})
    go_on(tmp_path, study)
    (tmp_path / "search.journal").unlink()
    with pytest.raises(
        StoreError, match=r"do not tell what the space of weight-decay at 1 was asked in trial 0; bring"
    ):
        go_on(tmp_path, study)


def other_names(trial):
    return {"weight_decay": 10 ** trial.suggest_float("exponent", -5, -1)}


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
@pytest.mark.parametrize("number", [1, 5])
def test_a_driver_killed_between_the_parameters_of_an_ask_asks_the_same_again(tmp_path, sampler, number):
    space = SearchSpace({"a": uniform(0, 1), "b": loguniform(1e-6, 1e-1), "c": uniform(-1, 1)})
    task = Task("weight-decay", 1.0, space, 9)
    path = tmp_path / "search.journal"

    def search():
        return AskTell(path, [task], SearchSettings(sampler=sampler), epochs=2, seed=3)

    first = search()
    for asked in range(number):
        first.tell(first.ask(), "complete", 0.1 * asked)
    expected = first.ask().params
    lines = path.read_bytes().splitlines(keepends=True)
    begun = max(i for i, line in enumerate(lines) if json.loads(line)["op_code"] == 4)
    for kept in range(begun + 1, len(lines)):
        path.write_bytes(b"".join(lines[:kept]))
        assert search().ask().params == expected


def test_a_conflict_copy_that_comes_while_the_study_runs_is_noticed_and_not_counted(whole, tmp_path):
    copies = []

    def synchronized(run):
        if len(copies) < 3:
            for part in list((tmp_path / "tables").glob("*/*.parquet"))[:1]:
                copies.append(
                    shutil.copy(part, part.with_name(f"{part.stem}.sync-conflict-2026-{len(copies)}.parquet"))
                )

    claim(tmp_path, STUDY)
    write_provenance(tmp_path, make_provenance(make_plan(STUDY), load_data(STUDY.dataset)))
    controller = StudyController(make_plan(STUDY), tmp_path)
    while not controller.finished:
        run = controller.next_run()
        synchronized(run)
        if controller.take(run.key, epochs(1, accuracy=accuracy(run))) is Decision.CONTINUE:
            controller.take(run.key, completed(run, accuracy(run)))
    assert len(copies) == 3
    assert numbers(tmp_path) == numbers(whole)
    said = " ".join(analysis.missing(load(tmp_path)))
    assert all(copy.name in said for copy in copies)
