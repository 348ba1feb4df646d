"""Whatever stands in a study file, it is a study or a mistake in one line each: never a traceback, never a hang."""

import time

import pytest
import tomli_w
from mutated_studies import BASE, mutated

from tune_reg.errors import TuneRegError
from tune_reg.execution.parameter_columns import parameter_columns
from tune_reg.execution.preflight.batches import last_batches
from tune_reg.study import Study, make_plan, unused_settings

SPACES = """
def space(trial):
    return {"weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)}
"""
#: Seconds in which a study is read on a busy machine.
LONGEST = 20


@pytest.fixture
def read(tmp_path, monkeypatch):
    """A function that reads a study and plans it; None, or what was wrong with it."""
    (tmp_path / "my_mutated_spaces.py").write_text(SPACES)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "study.toml"

    def reading(keys):
        path.write_text(tomli_w.dumps(keys), encoding="utf-8")
        try:
            study = Study.from_toml(path)
            plan = make_plan(study)
            unused_settings(study)
            parameter_columns(plan)
            for task in plan.tasks:
                last_batches(plan, task)
        except TuneRegError as error:
            return str(error)
        assert Study(**study.to_plain()).hash == study.hash
        path.write_text(study.to_toml(), encoding="utf-8")
        assert Study.from_toml(path).hash == study.hash
        return None

    return reading


def one_line_each(text):
    """Whether a message is lines that each begin with the file."""
    return all("study.toml: " in line and len(line) < 2000 for line in text.split("\n"))


def test_the_study_that_is_changed_is_valid(read):
    assert read(BASE) is None


@pytest.mark.parametrize("tens", range(10))
def test_a_changed_study_is_read_or_refused(read, tens):
    for seed in range(10 * tens, 10 * tens + 10):
        begin = time.monotonic()
        try:
            said = read(mutated(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        assert said is None or one_line_each(said), (seed, said)
        assert time.monotonic() - begin < LONGEST, seed
