"""Words for the training data, which titles, tables and sentences share, and remarks on result rows."""

from __future__ import annotations

from typing import Final

from analysis.formatting import count, share_text
from analysis.measures.comparisons import comparisons
from analysis.measures.results import ResultRow
from analysis.snapshot import Snapshot

#: Names of a baseline that would turn a sentence into its contrary: "less accurate than none".
_NOTHING: Final = frozenset({"none", "no", "nothing", "off", "null", "nil"})


def baseline_text(data: Snapshot) -> str:
    """The baseline in a sentence: its name, after "the baseline" where the name is a word for nothing."""
    if data.baseline is None:
        return "the baseline"
    return f"the baseline ({data.baseline})" if data.baseline.lower() in _NOTHING else data.baseline


def where(data: Snapshot, fraction: float, search_fraction: float | None = None) -> str:
    """Which training data, for a title or a sentence, and where the strength was picked if elsewhere.

    >>> from pathlib import Path
    >>> from tune_reg.store import Results
    >>> where(Snapshot(Results(Path("nowhere"))), 0.25, 1.0)
    '25 % of the data, strength from 100 %'
    """
    per_class = data.images_per_class
    searched = fraction if search_fraction is None else search_fraction
    images = per_class.get(fraction)
    amount = f"{share_text(fraction)} of the data" if images is None else f"{count(images, 'image')} a class"
    return f"{amount}{_carried(fraction, searched, per_class.get(searched))}"


def data_label(row: ResultRow) -> str:
    """Which training data, for a table: share, images, and where the strength was picked if elsewhere."""
    images = "" if row.n_train is None else f" ({row.n_train:,} images)"
    amount = share_text(row.fraction) if row.images_per_class is None else f"{row.images_per_class:,} a class"
    return f"{amount}{images}{_carried(row.fraction, row.search_fraction, row.search_images_per_class)}"


def notes(row: ResultRow) -> list[str]:
    """What a reader of ``row`` must know besides its numbers."""
    remarks = []
    if row.diverged:
        remarks.append(f"{count(row.diverged, 'run')} diverged")
    if row.failed:
        remarks.append(f"{count(row.failed, 'run')} failed")
    if not row.runs:
        remarks.append("no confirmed run ended" if row.diverged or row.failed else "no confirmed run")
        if row.lost:
            remarks.append(row.lost)
    if row.runs == 1:
        remarks.append("one run, no interval")
    if row.difference is not None and row.difference.n < row.runs:
        remarks.append(f"paired with the baseline at {count(row.difference.n, 'seed')}")
    if row.runs and row.difference is None and not row.is_baseline:
        remarks.append("no seed in common with the baseline")
    if row.comparison is not None and row.comparison.spread:
        remarks.append(f"differences: {row.comparison.spread}")
    return [*remarks, *(f"{name} on the {side} edge of its space" for name, side in sorted(row.edges.items()))]


def correction_text(data: Snapshot) -> str:
    """Over which comparisons the p-values are corrected, and which of them decide."""
    rows = comparisons(data)
    primary, secondary = [row for row in rows if row.primary], [row for row in rows if not row.primary]
    sentences = []
    if primary:
        test = f", {primary[0].test}" if primary[0].test else ""
        what = f"{primary[0].measure}{test} on {where(data, primary[0].fraction, primary[0].search_fraction)}"
        family = count(len(primary), "primary comparison")
        if primary[0].rounds:
            shared = "the level of the looks is shared by all of them, and p stands beside it as it is"
            sentences.append(f"The {family} ({what}) went on in rounds: {shared}.")
        else:
            sentences.append(f"p is Student’s t, corrected by Holm over the {family} ({what}).")
    if secondary:
        others = count(len(secondary), "secondary comparison")
        sentences.append(f"The {others} have a correction of their own, and stand only beside a primary claim.")
    return " ".join(sentences)


def _carried(fraction: float, search_fraction: float, per_class: int | None) -> str:
    if fraction == search_fraction:
        return ""
    return f", strength from {share_text(search_fraction) if per_class is None else f'{per_class:,} a class'}"
