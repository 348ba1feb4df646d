"""Studies in which no regularizer does anything: how often the report claims that one does."""

import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from analysis import Snapshot, claims
from analysis.report.kinds import MAY
from analysis.statistics import LEVEL
from tune_reg.store import SCHEMAS

NAMES = ("none", "a", "b", "c", "d")
STUDIES = 120
SEEDS = 9


def null_study(rng):
    """Five regularizers that are the same, on common seeds, tested on accuracy and under one attack."""
    shared = rng.normal(0, 0.01, SEEDS)
    final, robust = [], []
    for name in NAMES:
        for seed in range(SEEDS):
            run = {"regularizer": name, "fraction": 1.0, "search_fraction": 1.0, "seed": seed}
            # Test images are counted, so that differences tie now and then.
            accuracy = round((0.9 + shared[seed] + rng.normal(0, 0.005)) * 1000) / 1000
            final.append({**run, "params": "{}", "state": "complete", "test_accuracy": accuracy, "n_test": 1000})
            weaker = accuracy - 0.2 + rng.normal(0, 0.02)
            robust += [
                {**run, "test": "fgsm", "norm": "linf", "epsilon": epsilon, "accuracy": value}
                for epsilon, value in ((0.0, accuracy), (0.1, weaker))
            ]
    tables = {"trials": [], "expected": [], "epochs": [], "final": final, "robustness": robust}
    read = {
        name: (lambda rows=rows, name=name: pa.Table.from_pylist(rows, schema=SCHEMAS[name]))
        for name, rows in tables.items()
    }
    study = {"baseline": "none", "regularizers": {name: {} for name in NAMES}}
    return Snapshot(SimpleNamespace(**read, study=lambda: study, provenance=dict))


def share_of_studies_with_a_claim():
    rng = np.random.default_rng(20)
    return np.mean([any(claim.kind == MAY for claim in claims(null_study(rng))) for _ in range(STUDIES)])


def test_false_claims_are_at_most_as_frequent_as_the_level():
    # Three standard errors of a share of 120 studies above the level of 5 %.
    assert share_of_studies_with_a_claim() <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / STUDIES)


def test_without_the_correction_they_would_be_more_frequent(monkeypatch):
    """The test above can fail: eight uncorrected comparisons at 5 % each claim something in a quarter of studies."""
    # By name: the package has a function of the module's name.
    monkeypatch.setattr(sys.modules["analysis.measures.comparisons"], "holm", list)
    assert share_of_studies_with_a_claim() > LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / STUDIES)


def test_a_real_difference_is_claimed():
    rng = np.random.default_rng(21)
    data = null_study(rng)
    for row in data.final:
        row["test_accuracy"] += 0.05 * (row["regularizer"] == "b")
    sentences = [claim.sentence for claim in claims(data) if claim.kind == MAY]
    assert len(sentences) == 1
    assert "b is more accurate than none" in sentences[0]
