"""What a regularizer is worth in images."""

from __future__ import annotations

import math
from typing import Final

from analysis.formatting import NONE
from analysis.measures.data_equivalence import BELOW, BEYOND, equivalences
from analysis.metric_text import metric_text
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def equivalence_table(data: Snapshot) -> Table:
    """Images that the baseline would need for each regularizer's accuracy."""
    equivalent, text = equivalences(data), metric_text(data)
    rows = tuple(
        (
            where(data, row.fraction, row.search_fraction),
            row.regularizer,
            str(row.n),
            text.number(row.accuracy),
            f"{row.images:,}",
            _images(row.needed),
            NONE if row.low is None or row.high is None else f"{_images(row.low)} to {_images(row.high)}",
            f"{row.factor:.2f}" if row.place not in (BEYOND, BELOW) else row.place,
        )
        for row in equivalent
    )
    headings = (
        *("Training data", "Regularizer", "Seeds", text.heading("Test"), "Images", "Images the baseline needs"),
        *("95 % interval", "Times as many"),
    )
    return Table(headings, rows, equivalent)


def _images(needed: float) -> str:
    if math.isinf(needed):
        return "beyond the data"
    return "below the data" if needed == 0 else f"{needed:,.0f}"


EQUIVALENCE_TABLE: Final = TableSpec(
    "data-equivalence",
    "What a regularizer is worth in images, by test accuracy",
    "The images with which the baseline's curve, interpolated in log images and never extrapolated, has the same "
    "accuracy. Beyond the data: more than there are. Below: the baseline is as good with the fewest measured. "
    "Intervals hold the image counts at which a paired t test of the shared seeds does not reject.",
    equivalence_table,
)
