import pyarrow.parquet as pq
import pytest

from tune_reg.errors import StoreError
from tune_reg.store import load
from tune_reg.store.seal import unsealed_table


def test_best_is_the_complete_trial_of_highest_value_and_the_first_at_a_tie(store, trial):
    def params(x):
        return {"params": {"weight_decay": x}}

    rows = [
        trial(4, value=0.8, **params(4)),
        trial(3, value=0.9, **params(3)),
        trial(1, value=0.9, **params(1)),
        trial(2, value=0.99, state="pruned", **params(2)),
        trial(5, value=None, state="diverged", **params(5)),
        trial(6, value=0.95, fraction=0.25, **params(6)),
        trial(7, value=0.97, regularizer="weight-decay", **params(7)),
    ]
    for i, row in enumerate(rows):
        store.write("trials", f"{i}", [row])
    results = load(store.directory)
    assert results.best("adadecay") == {"weight_decay": 1}
    assert results.best("adadecay", fraction=0.25) == {"weight_decay": 6}
    assert results.best("weight-decay") == {"weight_decay": 7}
    for missing in ({"regularizer": "residual-smoothing"}, {"regularizer": "adadecay", "fraction": 0.5}):
        with pytest.raises(StoreError, match="no complete trial"):
            results.best(**missing)


def test_best_of_all_is_of_the_largest_fraction_that_was_searched(store, trial):
    store.write(
        "trials", "a", [trial(0, fraction=0.25, value=0.99), trial(0, fraction=0.5, value=0.1, params={"b": 1})]
    )
    assert load(store.directory).best("adadecay") == {"b": 1}


def test_best_of_a_store_of_an_earlier_release(store, trial):
    store.write("trials", "a", [trial(0, value=0.5), trial(1, value=0.75, params={"alpha": 2})])
    (part,) = (store.directory / "tables" / "trials").glob("*.parquet")
    rows = unsealed_table(pq.read_table(part))
    pq.write_table(rows.drop_columns(["robust_accuracy", "n_val"]), part)
    assert load(store.directory).best("adadecay") == {"alpha": 2}


def expected(number, mean, **changes):
    row = {"study": "0123", "regularizer": "adadecay", "fraction": 1.0, "trial": number}
    return {**row, "expected_value": mean, "expected_deviation": 0.01, **changes}


def test_best_is_the_trial_of_the_highest_expected_value_where_the_search_has_a_model(store, trial):
    """One that was paused for good may win over a complete one of a higher value, which had luck with its seed."""
    rows = [
        trial(0, value=0.95, params={"alpha": 0}),
        trial(1, value=0.80, state="pruned", params={"alpha": 1}),
        trial(2, value=0.93, params={"alpha": 2}),
        trial(3, value=0.70, fraction=0.25, params={"alpha": 3}),
        trial(4, value=0.75, fraction=0.25, params={"alpha": 4}),
        trial(0, value=0.6, regularizer="weight-decay", params={"alpha": 5}),
    ]
    for i, row in enumerate(rows):
        store.write("trials", f"{i}", [row])
    results = load(store.directory)
    assert results.best("adadecay") == {"alpha": 0}, "the search goes on"
    store.write("expected", "a", [expected(0, 0.91), expected(1, 0.92), expected(2, 0.92)])
    results = load(store.directory)
    assert results.best("adadecay") == {"alpha": 1}, "the first of equals"
    assert results.best("adadecay", fraction=0.25) == {"alpha": 4}
    assert results.best("weight-decay") == {"alpha": 5}
    store.write("expected", "b", [expected(3, 0.8, fraction=0.25), expected(4, 0.7, fraction=0.25)])
    results = load(store.directory)
    assert results.best("adadecay", fraction=0.25) == {"alpha": 3}
