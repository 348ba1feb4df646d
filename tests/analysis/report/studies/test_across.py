import math

import pytest

from analysis.report.studies.across import AcrossRow, rank_sentences, ranks_of
from analysis.statistics import Estimate


def rows_of(means):
    """Rows of studies with the given mean accuracies, one list a study."""
    return [
        AcrossRow(
            *(str(study), "", f"r{place}", "r0", 5, Estimate(5, mean, None, None, ""), None),
            with_searches=None,
            claimed=False,
            params=(),
            timescales=(),
            notes="",
        )
        for study, values in enumerate(means)
        for place, mean in enumerate(values)
        if mean is not None
    ]


def test_ranks_share_ties_and_leave_out_what_is_not_everywhere():
    ranks = ranks_of(rows_of([(0.9, 0.8, 0.8, 0.1), (0.7, 0.9, 0.6, None)]))
    assert ranks.left_out == ("r3",)
    assert {row.regularizer: row.ranks for row in ranks.rows} == {"r0": (1, 2), "r1": (2.5, 1), "r2": (2.5, 3)}
    assert [row.average_rank for row in ranks.rows] == [1.5, 1.75, 2.75]
    assert ranks_of(rows_of([(0.9, 0.8)])) is None


def test_few_studies_are_no_test_and_it_is_said():
    rows = rows_of([(0.9, 0.8, 0.7)] * 2)
    assert ranks_of(rows).p is None
    sentences = " ".join(rank_sentences(rows, 2))
    assert "No test of the ranks: with 2 studies of 3 regularizers" in sentences
    assert "3 studies would allow it" in sentences
    assert "critical difference" not in sentences
    # What is promised holds.
    assert ranks_of(rows_of([(0.9, 0.8, 0.7)] * 3)).p <= 0.05


def test_ranks_and_critical_difference_are_autoranks():
    # autorank 1.3.0: autorank(DataFrame of these, one column a regularizer, force_mode="nonparametric"), .rankdf, .cd
    studies = [
        (0.91, 0.92, 0.93, 0.90),
        (0.81, 0.82, 0.83, 0.815),
        (0.71, 0.73, 0.72, 0.70),
        (0.95, 0.96, 0.97, 0.94),
        (0.65, 0.66, 0.68, 0.64),
        (0.88, 0.89, 0.90, 0.87),
    ]
    ranks = ranks_of(rows_of(studies))
    assert [row.regularizer for row in ranks.rows] == ["r2", "r1", "r0", "r3"]
    expected = [1.1666666667, 1.8333333333, 3.1666666667, 3.8333333333]
    assert [row.average_rank for row in ranks.rows] == pytest.approx(expected)
    assert ranks.critical_difference == pytest.approx(1.91483, rel=1e-4)
    # Its p of Friedman's test is 0.00113, by the chi-square, which is too high with six studies.
    assert 0 < ranks.p < 0.00113


def test_critical_difference_only_where_the_test_rejects():
    agreed, mixed = rows_of([(0.9, 0.8, 0.7)] * 6), rows_of([(0.9, 0.8, 0.7), (0.7, 0.9, 0.8), (0.8, 0.7, 0.9)] * 2)
    assert ranks_of(agreed).critical_difference == pytest.approx(2.343 * math.sqrt(12 / 36), rel=1e-3)
    sentences = " ".join(rank_sentences(agreed, 6))
    assert "r0 before r2" in sentences
    assert "r0 before r1" not in sentences
    assert "approximation with few studies" in sentences
    assert ranks_of(mixed).critical_difference is None
    assert "no difference in rank is shown" in " ".join(rank_sentences(mixed, 6))
