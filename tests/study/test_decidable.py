"""What check says a study can decide."""

import re

import pytest
from digits import digits_study

from tune_reg.decisions import LOOKS, nominal_levels, power
from tune_reg.store import Metric, Results, Store
from tune_reg.study import GUESS, ConfirmSettings, Spread, decidable, make_plan, spread_of

METHODS = ["weight-decay", "l1", "label-smoothing"]


def lines(spread=GUESS, regularizers=METHODS, **confirm):
    return decidable(make_plan(digits_study(regularizers=regularizers, confirm=confirm)), spread)


def test_rounds_say_what_the_last_look_and_the_first_decide():
    (line,) = lines()
    assert line == (
        "confirmed in rounds of 5, 8, 12 and 20 seeds until decided: in 80% of cases a difference of 0.42 points is "
        "decided by 20 seeds and of 1.4 points by 5, if paired differences vary between seeds by 0.5 points (a guess)"
    )
    last, first = (float(text) / 100 for text in re.findall(r"of ([\d.]+) points (?:is decided )?by", line))
    levels = nominal_levels(LOOKS, 2)
    assert power(last, 20, 0.005, levels[-1]) == pytest.approx(0.8, abs=0.01)
    assert power(first, 5, 0.005, levels[0]) == pytest.approx(0.8, abs=0.05)


def test_a_fixed_number_of_seeds():
    assert lines(Spread(0.01, "as in out/before"), seeds=10) == [
        "confirmed on 10 seeds: in 80% of cases a difference of 1.1 points is decided, if paired differences vary "
        "between seeds by 1 points (as in out/before)"
    ]


def test_one_seed_decides_nothing():
    assert lines(seeds=1) == ["warning: 1 seed can decide nothing; leave confirm.seeds out, or take 5 or more"]
    assert lines(Spread(0.2, "a guess"), seeds=2)[0].startswith("warning: 2 seeds can decide nothing; ")


@pytest.mark.parametrize(("margin", "warned"), [(0.003, True), (0.006, False)])
def test_a_margin_that_can_hardly_be_shown(margin, warned):
    """Half a standard deviation and less is hardly ever shown by twenty seeds, one and more is."""
    _, *warnings = lines(margin=margin)
    text = (
        "warning: a margin of 0.3 points is shown by 20 seeds in 9% of cases where nothing differs; one of 0.48 points "
        "would be in 80%"
    )
    assert warnings == ([text] if warned else [])


def test_a_method_alone_is_compared_with_nothing():
    assert lines(regularizers=["l1"]) == []


def final(regularizer, seed, accuracy, fraction=1.0, state="complete"):
    return {
        "study": "s",
        "dataset": "digits",
        "model": "nn-2",
        "protocol": "validation",
        "regularizer": regularizer,
        "fraction": fraction,
        "search_fraction": 1.0,
        "trial": 0,
        "params": {},
        "seed": seed,
        "state": state,
        "n_test": 360,
        "test_accuracy": accuracy,
        "epochs": 1,
        "wall_s": 1.0,
    }


@pytest.fixture
def results(tmp_path):
    """Results with these rows of the table ``final``; the baseline is weight decay."""

    def write(*rows):
        (tmp_path / "study.toml").write_text(digits_study(regularizers=METHODS).to_toml())
        store = Store(tmp_path, study_hash="0")
        for number, row in enumerate(rows):
            store.write("final", str(number), [row])
        return Results(tmp_path)

    return write


def test_the_spread_is_pooled_over_the_methods_on_the_largest_training_set(results):
    baseline = [final("weight-decay", seed, 0.8 + 0.01 * seed) for seed in (1, 2, 3)]
    half = [final(name, seed, 0.1 * seed, 0.5) for name in METHODS for seed in (1, 2)]
    l1 = [final("l1", seed, 0.8 + 0.01 * seed + more) for seed, more in ((1, 0.0), (2, 0.01), (3, 0.02))]
    smoothing = [final("label-smoothing", seed, 0.8 + 0.01 * seed + more) for seed, more in ((1, 0.0), (2, 0.04))]
    failed = final("label-smoothing", 3, None, state="diverged")
    spread = spread_of(results(*baseline, *half, *l1, *smoothing, failed), "as in there")
    assert spread.deviation == pytest.approx(((2 * 0.01**2 + 0.0008) / 3) ** 0.5)
    assert spread.source == "as in there"


def test_there_is_no_spread_of_single_pairs_and_none_below_that_of_rounding(results):
    pairs = [final(name, 1, 0.9) for name in METHODS]
    assert spread_of(results(*pairs), "") is None
    equal = [final(name, seed, 0.9) for name in METHODS for seed in (1, 2)]
    assert spread_of(results(*equal), "").deviation == pytest.approx(1 / (6**0.5 * 360))


def test_of_another_metric_nothing_is_guessed_and_a_spread_is_in_its_unit():
    study = digits_study(metric={"name": "loss", "unit": "nats"}, regularizers=["l1", "dropout"])
    plan = make_plan(study.model_copy(update={"confirm": ConfirmSettings(margin=5.0)}))
    (line,) = decidable(plan)
    assert line.startswith(
        "confirmed in rounds of 5, 8, 12 and 20 seeds until decided: in 80% of cases a difference of "
    )
    assert "standard deviations is decided by 20 seeds" in line
    assert line.endswith("; how far paired differences of loss vary is known once a study of it is confirmed")
    measured, *warnings = decidable(plan, Spread(3.0, "as in there"))
    assert "if paired differences vary between seeds by 3 nats (as in there)" in measured
    assert warnings == []


def test_the_spread_of_another_metric_is_none(tmp_path):
    store = Store(tmp_path, study_hash="0" * 16)
    (tmp_path / "study.toml").write_text('baseline = "l1"\n[metric]\nname = "rmse"\n')
    for name, values in (("l1", (1.0, 3.0, 2.0)), ("dropout", (3.0, 4.0, 5.0))):
        rows = [
            {**final(name, seed, None), "test_metric": value, "params": {}, "trial": 0}
            for seed, value in enumerate(values)
        ]
        store.write("final", name, rows)
    results = Results(tmp_path)
    assert spread_of(results, "") is None
    # The differences are 2, 1 and 3.
    assert spread_of(results, "there", Metric("rmse", "minimize")) == Spread(pytest.approx(1.0), "there")
