"""Every comparison with the baseline, with effect sizes."""

from __future__ import annotations

from typing import Final

from analysis.formatting import NONE, attack_name, corrected_p, estimate_text, interval_text, p_value
from analysis.measures.comparisons import comparisons
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def comparison_table(data: Snapshot) -> Table:
    """Every comparison with the baseline that the report makes, with effect sizes."""
    compared = comparisons(data)
    rows = []
    for row in compared:
        size = row.effect
        rows.append(
            (
                f"{row.measure}, {attack_name(row.test, row.norm)}" if row.test else row.measure,
                where(data, row.fraction, row.search_fraction),
                row.regularizer,
                str(row.difference.n),
                estimate_text(row.difference, signed=True),
                interval_text(size.median, size.median_low, size.median_high, "+.2f", 100),
                NONE if size.d is None else interval_text(size.d, size.d_low, size.d_high, "+.2f"),
                interval_text(size.improvement, size.improvement_low, size.improvement_high, ".0f", 100),
                p_value(row.difference.p),
                corrected_p(row.difference),
            )
        )
    headings = (
        *("Measure", "Training data", "Regularizer", "Pairs", "Mean difference, points", "Median difference, points"),
        *("Effect size d", "Better than the baseline, % of pairs", "p", f"p (Holm, {len(compared)} comparisons)"),
    )
    return Table(headings, tuple(rows), compared)


COMPARISON_TABLE: Final = TableSpec(
    "comparisons",
    "Every comparison with the baseline",
    "Pairs share a seed. p is the exact sign-flip test's; Holm's correction is over all rows of this table. d is "
    "the mean difference in standard deviations (Cohen's d_z with Hedges' correction; interval from the noncentral "
    "t). The median's interval needs 6 pairs. Better: share of pairs, ties counted half, Clopper-Pearson interval.",
    comparison_table,
)
