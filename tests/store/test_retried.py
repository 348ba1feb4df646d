"""Failed trials that were tried again: the table keeps them, and whoever counts trials leaves them out."""

from analysis import Snapshot
from tune_reg.store import load
from tune_reg.store.retried import without_retried


def test_a_chain_of_tries_leaves_the_last_and_other_searches_their_own(trial):
    rows = [
        trial(0, state="failed", retries=None),
        trial(1, retries=None),
        trial(2, state="failed", retries=0),
        trial(3, retries=2),
        trial(0, fraction=0.5, retries=None),
        trial(0, regularizer="l1", retries=None),
    ]
    rows = [{"images_per_class": None, **row} for row in rows]
    kept = [(row["regularizer"], row["fraction"], row["trial"]) for row in without_retried(rows)]
    assert kept == [("adadecay", 1.0, 1), ("adadecay", 1.0, 3), ("adadecay", 0.5, 0), ("l1", 1.0, 0)]


def test_the_table_keeps_what_the_report_leaves_out(store, tmp_path, trial):
    for row in (trial(0, state="failed", value=None), trial(1, retries=0)):
        store.write("trials", f"adadecay-at-1-trial-0000{row['trial']}", [row])
    assert load(tmp_path).trials()["trial"].to_pylist() == [0, 1]
    assert [row["trial"] for row in Snapshot(load(tmp_path)).trials] == [1]
