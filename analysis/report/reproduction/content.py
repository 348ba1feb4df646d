"""Everything that the report of a reproduction says, whatever its form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from analysis.exports.csv_file import rows_csv
from analysis.exports.rendered_figure import RenderedFigure
from analysis.exports.rendered_table import RenderedTable
from analysis.formatting import NONE, count, estimate_text, interval_text
from analysis.measures.papers import PaperRow, paper_rows
from analysis.measures.reproduction.claimed import ClaimResult
from analysis.measures.reproduction.declared import Reproduction
from analysis.measures.reproduction.side_by_side import TOLERANCE, Pick, SideBySide, Verdict
from analysis.report.missing import missing
from analysis.snapshot import Snapshot, mapping
from analysis.statistics import Estimate


class ReproductionContent(NamedTuple):
    """Everything that the report of a reproduction says."""

    declared: Reproduction
    sentences: tuple[str, ...]
    missing: tuple[str, ...]
    tables: tuple[RenderedTable, ...]
    figures: tuple[RenderedFigure, ...]
    choices: tuple[str, ...]
    deviations: tuple[str, ...]
    made: tuple[tuple[str, str], ...]


def content_of(
    declared: Reproduction,
    studies: Mapping[str, Snapshot],
    rows: tuple[SideBySide, ...],
    claims: tuple[ClaimResult, ...],
    figures: tuple[RenderedFigure, ...],
) -> ReproductionContent:
    """What the report says; ``rows`` as ``side_by_side`` and ``claims`` as ``claim_results`` give them."""
    tables = (_side_by_side(rows), _claims(claims), _measured(studies))
    return ReproductionContent(
        declared=declared,
        sentences=tuple(sentences(rows, claims)),
        missing=tuple(_missing(declared, studies)),
        tables=tuple(table for table in tables if table.rows),
        figures=figures,
        choices=declared.choices,
        deviations=(*_stand_ins(declared), *declared.deviations),
        made=tuple(_made(declared, studies)),
    )


def sentences(rows: Sequence[SideBySide], claims: Sequence[ClaimResult]) -> Iterable[str]:
    """What the comparisons come to, in sentences."""
    measured = [row for row in rows if row.measured is not None]
    if rows:
        yield f"{len(measured)} of {count(len(rows), 'published number')} have a measured one beside them."
    levels = Counter(row.verdict for row in measured)
    if any(verdict != "not compared" for verdict in levels):
        yield (
            f"Level: {_counted(levels)}. A level agrees where the interval of the difference holds 0 and is within "
            f"{100 * TOLERANCE:g} points."
        )
    gains = Counter(row.gain_verdict for row in measured if row.published_gain is not None)
    if gains:
        yield f"Gain over the baseline of the table: {_counted(gains)}."
    if claims:
        yield f"Claims without a number: {_counted(Counter(claim.verdict for claim in claims))}."
    moved = [row for row in measured if row.validated and row.measured and row.validated.of > 1]
    if moved:
        other = sum(row.validated.method != row.measured.method for row in moved if row.validated and row.measured)
        yield (
            f"Picking on validation images takes another setting than picking on the test set for {other} of "
            f"{len(moved)} numbers whose setting is picked."
        )


def _counted(verdicts: Counter[Verdict]) -> str:
    words: dict[Verdict, str] = {"agrees": "agree", "differs": "differ", "cannot tell": "cannot be told"}
    return ", ".join(f"{verdicts[verdict]} {word}" for verdict, word in words.items())


def _side_by_side(rows: Sequence[SideBySide]) -> RenderedTable:
    return RenderedTable(
        "side-by-side",
        "Published and measured",
        "Test accuracies in %, differences and gains in points, with 95 % intervals over seeds. Published deviations "
        "are in brackets. Measured: the paper's statistic, the setting picked as in the paper. On validation: the "
        "setting that validation images pick, tested once after the last epoch. The difference has the error of both "
        "means; where the paper gives no deviation, its runs are taken to vary as the measured ones do. A gain differs "
        "where the published one lies outside its interval, widened by the error of the published runs; it agrees "
        "where it does not and the measured interval leaves 0 out; else these runs cannot tell.",
        (
            "Block",
            "Method",
            "Data",
            "Statistic",
            "Published",
            "Measured",
            "Difference",
            "Level",
            "Published gain",
            "Measured gain",
            "Gain",
            "On validation",
        ),
        tuple(_cells(row) for row in rows),
        rows_csv([_flat(row) for row in rows]),
    )


def _cells(row: SideBySide) -> tuple[str, ...]:
    number = row.published
    deviation = "" if number.deviation is None else f" ({100 * number.deviation:.2f})"
    published = NONE if number.accuracy is None else f"{100 * number.accuracy:.2f}{deviation}, n = {number.trials}"
    return (
        row.block,
        f"{number.method} {number.setting}".strip(),
        number.size,
        number.statistic,
        published,
        _picked(row.measured),
        estimate_text(row.difference, signed=True),
        row.verdict,
        NONE if row.published_gain is None else f"{100 * row.published_gain:+.2f}",
        estimate_text(row.gain, signed=True),
        row.gain_verdict,
        _picked(row.validated),
    )


def _picked(pick: Pick | None) -> str:
    if pick is None:
        return NONE
    which = f" {pick.method}" if pick.of > 1 else ""
    return f"{estimate_text(pick.accuracy)}, n = {pick.accuracy.n}{which}"


class _Row(NamedTuple):
    """A row of the CSV. Accuracies are shares in [0, 1]."""

    block: str
    method: str
    setting: str
    data: str
    statistic: str
    cell: str
    published: float | None
    published_deviation: float | None
    published_n: int
    measured: float | None
    measured_low: float | None
    measured_high: float | None
    measured_n: int | None
    measured_setting: str | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    level: str
    published_gain: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    gain_verdict: str
    validated: float | None
    validated_low: float | None
    validated_high: float | None
    validated_setting: str | None


def _flat(row: SideBySide) -> _Row:
    number, measured, validated = row.published, row.measured, row.validated
    accuracy = measured.accuracy if measured else None
    honest = validated.accuracy if validated else None
    return _Row(
        row.block,
        number.method,
        number.setting,
        number.size,
        number.statistic,
        number.cell,
        number.accuracy,
        number.deviation,
        number.trials,
        accuracy.mean if accuracy else None,
        accuracy.low if accuracy else None,
        accuracy.high if accuracy else None,
        accuracy.n if accuracy else None,
        measured.method if measured else None,
        row.difference.mean if row.difference else None,
        row.difference.low if row.difference else None,
        row.difference.high if row.difference else None,
        row.verdict,
        row.published_gain,
        row.gain.mean if row.gain else None,
        row.gain.low if row.gain else None,
        row.gain.high if row.gain else None,
        row.gain_verdict,
        honest.mean if honest else None,
        honest.low if honest else None,
        honest.high if honest else None,
        validated.method if validated else None,
    )


class _ClaimRow(NamedTuple):
    block: str
    claim: str
    measure: str
    better: str
    worse: str
    epoch: int | None
    n: int | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str


def _claims(claims: Sequence[ClaimResult]) -> RenderedTable:
    rows = tuple(
        (
            claim.block,
            claim.claim.text,
            f"{claim.claim.better} over {claim.claim.worse}",
            NONE if claim.epoch is None else str(claim.epoch),
            NONE if claim.difference is None else str(claim.difference.n),
            _claim_difference(claim),
            claim.verdict,
        )
        for claim in claims
    )
    numbers = [
        _ClaimRow(
            claim.block,
            claim.claim.text,
            claim.claim.measure,
            claim.claim.better,
            claim.claim.worse,
            claim.epoch,
            claim.difference.n if claim.difference else None,
            claim.difference.mean if claim.difference else None,
            claim.difference.low if claim.difference else None,
            claim.difference.high if claim.difference else None,
            claim.verdict,
        )
        for claim in claims
    ]
    return RenderedTable(
        "claims",
        "What the paper says without a number",
        "The measured difference in favour of the claim, paired by seed, with its 95 % interval: points of test "
        "accuracy, or mean cross-entropy on the test images. A claim agrees where the interval lies above 0.",
        ("Block", "Claim", "Compared", "Epoch", "n", "Difference", "Verdict"),
        rows,
        rows_csv(numbers),
    )


def _claim_difference(claim: ClaimResult) -> str:
    if claim.difference is None or claim.claim.measure == "accuracy":
        return estimate_text(claim.difference, signed=True)
    return interval_text(*claim.difference[1:4], "+.4f")


def _measured(studies: Mapping[str, Snapshot]) -> RenderedTable:
    rows = [(path, row) for path, data in studies.items() for row in paper_rows(data)]
    columns: tuple[str, ...] = (
        "Study",
        "Method",
        "n",
        "Test, last epoch",
        "Best epoch",
        "Last tenth",
        "Trimmed",
        "Best run",
    )
    text = "Accuracies in %, means over seeds with 95 % intervals."
    if any(row.max_over_epochs for _, row in rows):
        text += (
            " In studies whose path ends in paper, the best epoch and the last tenth of the epochs are of the test "
            "set, as published; in others of validation images, where each epoch was validated."
        )
    else:  # no study was validated after each epoch
        columns = columns[:4]
    return RenderedTable(
        "measured",
        "Every method that was trained",
        text,
        columns,
        tuple((path, *_paper_cells(row))[: len(columns)] for path, row in rows),
        rows_csv([_MeasuredRow(path, *row) for path, row in rows]),
    )


class _MeasuredRow(NamedTuple):
    study: str
    fraction: float
    search_fraction: float
    method: str
    n: int
    test_accuracy: Estimate | None
    max_over_epochs: Estimate | None
    max_over_runs: float | None
    mean_last_10pct: Estimate | None
    trimmed_mean: float | None
    trimmed: int


def _paper_cells(row: PaperRow) -> tuple[str, ...]:
    def share(value: float | None) -> str:
        return NONE if value is None else f"{100 * value:.2f}"

    return (
        row.regularizer,
        str(row.n),
        estimate_text(row.test_accuracy),
        estimate_text(row.max_over_epochs),
        estimate_text(row.mean_last_10pct),
        share(row.trimmed_mean),
        share(row.max_over_runs),
    )


def _missing(declared: Reproduction, studies: Mapping[str, Snapshot]) -> Iterable[str]:
    for block in declared.blocks:
        for path in (block.as_published, block.on_validation):
            if path is None:
                continue
            if path not in studies:
                yield f"{path}: not begun."
                continue
            for sentence in missing(studies[path]):
                yield f"{path}: {sentence}"


def _stand_ins(declared: Reproduction) -> Iterable[str]:
    for block in declared.blocks:
        if block.in_place:
            yield (
                f"{block.name}: {block.in_place} in place of {block.model} on {block.dataset}, so its levels are not "
                "compared."
            )


def _made(declared: Reproduction, studies: Mapping[str, Snapshot]) -> Iterable[tuple[str, str]]:
    yield "Command", declared.command
    yield "Paper", f"{declared.citation}; {declared.table}"
    for path, data in studies.items():
        epochs = sum(row["epochs_trained"] for row in data.trials) + data.confirm_epochs.num_rows
        seconds = sum(row["wall_s"] for row in data.trials) + sum(data.confirm_epochs["wall_s"].to_pylist())
        about = mapping(data.provenance.get("packages"))
        torch = f", torch {about['torch']}" if "torch" in about else ""
        yield path, f"{epochs:,} epochs, {seconds / 3600:.2f} hours of training{torch}"
