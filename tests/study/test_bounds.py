"""Numbers of a study file beyond reason are refused at once, with the largest that is possible."""

import time

import pytest

from tune_reg.errors import StudyError
from tune_reg.study import Study, make_plan

BASE = {"name": "x", "dataset": "digits", "model": "nn-2-small", "regularizers": ["l1"]}
MANY = 10**6
#: Key -> the most that may stand there.
NUMBERS = {
    "seed": 2**31 - 1,
    "training.epochs": 100_000,
    "search.trials": 100_000,
    "search.seeds": 64,
    "search.reduction_factor": 1000,
    "search.patience": 100_000,
    "confirm.seeds": 10_000,
    "resources.cpus": 10_000,
    "resources.gpus": 1000,
    "resources.memory_gb": 10**6,
    "resources.lanes": 10_000,
    "resources.epoch_timeout_s": 10**8,
    "resources.max_failures": 1000,
    "robustness.images": 10**9,
}


def study(key: str, value: object) -> Study:
    for part in reversed(key.split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    return Study(**BASE | value)


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [10**12, 10**400, -1, float("nan")], ids=["large", "huge", "negative", "nan"])
def test_a_number_out_of_bounds(key, value):
    begin = time.monotonic()
    with pytest.raises(StudyError, match=key) as caught:
        study(key, value)
    assert time.monotonic() - begin < 2
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("key", NUMBERS)
def test_the_largest_number_is_planned_quickly(key):
    begin = time.monotonic()
    make_plan(study(key, NUMBERS[key]))
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fractions", [(i + 1) / MANY for i in range(MANY)]),
        ("images_per_class", list(range(1, MANY))),
        ("search.fractions", [(i + 1) / MANY for i in range(MANY)]),
        ("robustness.fgsm", [(i + 1) / MANY for i in range(MANY)]),
        ("regularizers", [f"r{i}" for i in range(MANY)]),
        ("regularizers", {f"r{i}": {"regularizer": "l1"} for i in range(10_000)}),
        ("regularizers.l1.l1", [(i + 1) / MANY for i in range(MANY)]),
        ("regularizers.l1.start", [{}] * MANY),
        ("regularizers.x.regularizer", ["l1"] * MANY),
        ("fractions", [(i + 200) / 301 for i in range(101)]),
    ],
)
def test_a_list_out_of_bounds(key, value):
    begin = time.monotonic()
    with pytest.raises(StudyError, match=rf"{key}: .*at most 100"):
        study(key, value)
    assert time.monotonic() - begin < 2


def test_all_confirmed_runs_together():
    fractions = [(i + 200) / 299 for i in range(100)]
    with pytest.raises(StudyError, match="1,000,000 confirmed runs; at most 200,000 are possible"):
        Study(**BASE, fractions=fractions, confirm={"seeds": 10_000})


def test_a_share_of_a_gpu():
    with pytest.raises(StudyError, match=r"resources.gpus: must be 0 or at least 0\.01"):
        study("resources.gpus", 1e-9)


@pytest.mark.parametrize("names", [["A", "a"], ["Größe", "Gro\u0308ße"], ["x", "X"]])
def test_names_that_are_one_file_on_some_systems(names):
    with pytest.raises(StudyError, match="differ in capitals or accents alone"):
        study("regularizers", {name: {"regularizer": "l1"} for name in names})


def test_names_that_differ_behind_a_point():
    assert list(study("regularizers", {n: {"regularizer": "l1"} for n in ("d-0", "d-0.5")}).regularizers) == [
        "d-0",
        "d-0.5",
    ]


def test_a_name_too_long_for_a_file():
    with pytest.raises(StudyError, match="at most 160 bytes"):
        study("regularizers", {"中" * 60: {"regularizer": "l1"}})


def test_a_prior_for_a_grid_is_refused():
    grid = Study(**BASE | {"regularizers": {"l1": {"strength": [1e-4, 1e-3]}}}, search={"sampler": "grid"})
    with pytest.raises(StudyError, match=r'^--prior: with search\.sampler "grid"'):
        grid.with_prior(None)  # type: ignore[arg-type]
