from types import SimpleNamespace

import pyarrow as pa
import pytest

from analysis import Snapshot
from analysis.measures.accuracy import Setting
from analysis.measures.primary import AREA, CALIBRATION, CORRUPTED, in_rounds, is_primary, largest_setting
from tune_reg.store import SCHEMAS

ACCURACY = "test accuracy"


def study_of(confirm, trials=(1.0,), final=((0.25, 1.0), (1.0, 1.0)), decisions=()):
    """A study with these tables: of trials the fractions, of confirmed runs (fraction, search fraction)."""
    run = {"regularizer": "a", "params": "{}", "state": "complete"}
    tables = {
        "trials": [{**run, "fraction": at} for at in trials],
        "final": [{**run, "fraction": at, "search_fraction": searched} for at, searched in final],
        "decisions": list(decisions),
    }
    read = {
        name: (lambda name=name: pa.Table.from_pylist(tables.get(name, []), schema=SCHEMAS[name])) for name in SCHEMAS
    }
    return Snapshot(SimpleNamespace(**read, study=lambda: {"confirm": confirm}, provenance=dict))


FULL = Setting(1.0, 1.0)


@pytest.mark.parametrize(
    ("declared", "measure", "test"),
    [
        (None, ACCURACY, ""),
        ("test_accuracy", ACCURACY, ""),
        ("pgd_linf", AREA, "pgd-linf"),
        ("pgd-linf", AREA, "pgd-linf"),
        ("FGSM", AREA, "fgsm"),
        ("corruptions", CORRUPTED, ""),
        ("unknown", None, ""),
    ],
)
def test_what_the_study_declares_is_primary_on_the_largest_set_and_nothing_else(declared, measure, test):
    data = study_of({"seeds": 5} if declared is None else {"seeds": 5, "primary": declared})
    compared = [(ACCURACY, ""), (AREA, "fgsm"), (AREA, "pgd-linf"), (CORRUPTED, ""), (CALIBRATION, "")]
    assert [each for each in compared if is_primary(data, *each, FULL)] == ([(measure, test)] if measure else [])
    assert not any(is_primary(data, *each, Setting(0.25, 1.0)) for each in compared)


def test_the_largest_set_is_that_of_the_study_also_before_it_is_confirmed():
    assert largest_setting(study_of({}, trials=(0.25, 1.0), final=((0.25, 0.25),))) == FULL
    assert largest_setting(study_of({}, trials=(0.25,), final=((0.25, 0.25), (1.0, 0.25)))) == Setting(1.0, 0.25)
    assert largest_setting(study_of({}, trials=(), final=())) is None


def test_rounds_are_what_has_no_fixed_number_of_seeds():
    assert in_rounds(study_of({"margin": 0.01}))
    assert not in_rounds(study_of({"seeds": 5}))
    assert not in_rounds(study_of(None))
    assert in_rounds(
        study_of(None, decisions=[{"regularizer": "a", "fraction": 1.0, "search_fraction": 1.0, "look": 1}])
    )
