"""Every comparison with the baseline, with effect sizes."""

from __future__ import annotations

from typing import Final

from analysis.formatting import NONE, attack_name, corrected_p, estimate_text, interval_text, p_value
from analysis.measures.claim_rule import may_be_claimed
from analysis.measures.comparisons import comparisons
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def comparison_table(data: Snapshot) -> Table:
    """Every comparison with the baseline that the report makes, with effect sizes."""
    compared = comparisons(data)
    rows = []
    for row in compared:
        size, luck = row.effect, row.with_searches
        rows.append(
            (
                "primary" if row.primary else "secondary",
                f"{row.measure}, {attack_name(row.test, row.norm)}" if row.test else row.measure,
                where(data, row.fraction, row.search_fraction),
                row.regularizer,
                str(row.difference.n),
                estimate_text(row.difference, signed=True),
                NONE if luck is None else interval_text(luck.mean, luck.low, luck.high, "+.2f", 100),
                p_value(row.difference.p),
                corrected_p(row.difference),
                row.decision,
                "yes" if may_be_claimed(data, row) else "no",
                p_value(row.difference.p_sign_flip),
                interval_text(size.median, size.median_low, size.median_high, "+.2f", 100),
                NONE if size.d is None else interval_text(size.d, size.d_low, size.d_high, "+.2f"),
                interval_text(size.improvement, size.improvement_low, size.improvement_high, ".0f", 100),
                row.spread,
            )
        )
    headings = (
        *("Question", "Measure", "Training data", "Regularizer", "Pairs", "Mean difference of the settings, points"),
        *("With the luck of both searches, points", "p (t, unadjusted)", "p (Holm, within its family)", "Decision"),
        *("May be claimed", "p (sign flips, a check)", "Median difference, points", "Effect size d"),
        *("Better than the baseline, % of pairs", "Spread"),
    )
    return Table(headings, tuple(rows), compared)


COMPARISON_TABLE: Final = TableSpec(
    "comparisons",
    "Every comparison with the baseline, on the test set",
    "Pairs share a seed. The primary comparisons were declared before the runs; the secondary ones are corrected "
    "among themselves, and decided only where a primary one is established. p is of Student's t; where the "
    "confirmation went on in rounds, the interval of the last look decides, at the level that stands there. The p of "
    "sign flips is no gate. With the luck of both searches: mean difference, plus what the search's model expects "
    "this pick to lack, minus what the baseline's lacks, with their variances. Calibration is 1 - calibration error. "
    "d is the mean difference in standard deviations (Cohen's d_z with Hedges' correction; interval from the "
    "noncentral t). The median's interval needs 6 pairs. Better: share of pairs, ties counted half, Clopper-Pearson "
    "interval. Spread: outliers by Rosner's test, skew by D'Agostino's, each at 1 %.",
    comparison_table,
)
