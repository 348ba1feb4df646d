"""Every comparison with the baseline, with effect sizes."""

from __future__ import annotations

from typing import Final

from analysis.formatting import NONE, attack_name, corrected_p, interval_text, p_value
from analysis.measures.claim_rule import may_be_claimed
from analysis.measures.comparisons import comparisons
from analysis.measures.primary import is_of_metric
from analysis.metric_text import metric_text, text_of
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def comparison_table(data: Snapshot) -> Table:
    """Every comparison with the baseline that the report makes, with effect sizes."""
    compared = comparisons(data)
    rows = []
    for row in compared:
        size, luck, text = row.effect, row.with_searches, text_of(data, row.measure)
        rows.append(
            (
                "primary" if row.primary else "secondary",
                f"{row.measure}, {attack_name(row.test, row.norm)}" if row.test else row.measure,
                where(data, row.fraction, row.search_fraction),
                row.regularizer,
                str(row.difference.n),
                text.estimate(row.difference, signed=True),
                NONE if luck is None else text.interval(luck.mean, luck.low, luck.high, signed=True),
                p_value(row.difference.p),
                corrected_p(row.difference),
                row.decision,
                "yes" if may_be_claimed(data, row) else "no",
                p_value(row.difference.p_sign_flip),
                text.interval(size.median, size.median_low, size.median_high, signed=True),
                NONE if size.d is None else interval_text(size.d, size.d_low, size.d_high, "+.2f"),
                interval_text(size.improvement, size.improvement_low, size.improvement_high, ".0f", 100),
                row.spread,
            )
        )
    unit = metric_text(data)
    if not unit.is_accuracy and any(not is_of_metric(row.measure) for row in compared):
        # Beside another metric stand differences of robustness and calibration, in points.
        unit = unit._replace(of_differences=f"{unit.unit or unit.words} or points")
    mean, luck_of, median = map(
        unit.of_difference, ("Mean difference of the settings", "With the luck of both searches", "Median difference")
    )
    headings = (
        *("Question", "Measure", "Training data", "Regularizer", "Pairs", mean),
        *(luck_of, "p (t, unadjusted)", "p (Holm, within its family)", "Decision"),
        *("May be claimed", "p (sign flips, a check)", median, "Effect size d"),
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
