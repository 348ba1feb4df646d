"""Studies in which no regularizer does anything: how often the report claims that one does."""

import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from analysis import Snapshot, claims, comparisons
from analysis.measures import with_searches
from analysis.report.kinds import MAY
from analysis.statistics import LEVEL
from tune_reg.store import SCHEMAS

NAMES = ("none", "a", "b", "c", "d", "e", "f")
STUDIES = 150
SEEDS = 5
#: Three standard errors of a share of so many studies above the level of 5 %.
MOST = LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / STUDIES)


def null_study(rng, names=NAMES, seeds=SEEDS, lacks=None):
    """Regularizers that are the same, on common seeds, tested on accuracy and under one attack.

    lacks: what the pick of each one's search lacks of the best, by name.
    """
    shared = rng.normal(0, 0.01, seeds)
    final, robust = [], []
    for name in names:
        for seed in range(seeds):
            run = {"regularizer": name, "fraction": 1.0, "search_fraction": 1.0, "seed": seed}
            # Test images are counted, so that differences tie now and then.
            accuracy = round((0.9 + shared[seed] + rng.normal(0, 0.005) - (lacks or {}).get(name, 0.0)) * 1000) / 1000
            final.append({**run, "params": "{}", "state": "complete", "test_accuracy": accuracy, "n_test": 1000})
            weaker = accuracy - 0.2 + rng.normal(0, 0.02)
            robust += [
                {**run, "test": "fgsm", "norm": "linf", "epsilon": epsilon, "accuracy": value}
                for epsilon, value in ((0.0, accuracy), (0.1, weaker))
            ]
    tables = {"trials": [], "expected": [], "epochs": [], "final": final, "robustness": robust, "decisions": []}
    read = {
        name: (lambda rows=rows, name=name: pa.Table.from_pylist(rows, schema=SCHEMAS[name]))
        for name, rows in tables.items()
    }
    study = {"baseline": "none", "regularizers": {name: {} for name in names}}
    return Snapshot(SimpleNamespace(**read, study=lambda: study, provenance=dict))


def share_of_studies_with_a_claim():
    rng = np.random.default_rng(20)
    return np.mean([any(claim.kind == MAY for claim in claims(null_study(rng))) for _ in range(STUDIES)])


def test_false_claims_are_at_most_as_frequent_as_the_level():
    assert share_of_studies_with_a_claim() <= MOST


def test_without_the_correction_they_would_be_more_frequent(monkeypatch):
    """The test above can fail: six uncorrected primary comparisons claim something in a fifth of studies."""
    # By name: the package has a function of the module's name.
    monkeypatch.setattr(sys.modules["analysis.measures.comparisons"], "holm", list)
    assert share_of_studies_with_a_claim() > MOST


def test_the_same_method_twice_is_seldom_different(monkeypatch):
    """Two searches whose picks lack something by luck: different as settings, and not claimed of the method."""
    rng = np.random.default_rng(22)
    half_normal = np.sqrt(2 / np.pi), np.sqrt(1 - 2 / np.pi)  # mean and standard deviation
    regret = 0.004 * half_normal[0], 0.004 * half_normal[1]
    monkeypatch.setattr(with_searches, "regret_of", lambda *_: regret)
    rows = []
    for _ in range(STUDIES):
        lacks = {name: 0.004 * abs(rng.normal()) for name in ("none", "a")}
        rows.append(comparisons(null_study(rng, ("none", "a"), 20, lacks))[0])
    assert np.mean([row.decision != "undecided" for row in rows]) > 0.2
    assert np.mean([row.established for row in rows]) <= MOST


def test_a_real_difference_is_claimed():
    rng = np.random.default_rng(21)
    data = null_study(rng)
    for row in data.final:
        row["test_accuracy"] += 0.05 * (row["regularizer"] == "b")
    sentences = [claim.sentence for claim in claims(data) if claim.kind == MAY]
    assert len(sentences) == 1
    assert "b is more accurate than the baseline (none)" in sentences[0]
