"""What a paper says without a number, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow.compute as pc

from analysis.measures.reproduction.declared import PaperClaim, Reproduction
from analysis.measures.reproduction.side_by_side import Verdict
from analysis.snapshot import Snapshot
from analysis.statistics import Estimate, mean_interval
from tune_reg.decisions import difference_floor


class ClaimResult(NamedTuple):
    """One claim of a paper and the measured difference in its favour."""

    block: str
    claim: PaperClaim
    epoch: int | None  # that was looked at; None where nothing was trained yet
    difference: Estimate | None  # by how much the better one is better, paired by seed; a share, or a cross-entropy
    verdict: Verdict


def claim_results(declared: Reproduction, studies: Mapping[str, Snapshot]) -> tuple[ClaimResult, ...]:
    """Every claim of the reproduced table or figure, block by block."""
    return tuple(
        _result(block.name, claim, studies.get(block.measured_in))
        for block in declared.blocks
        for claim in block.claims
    )


def _result(block: str, claim: PaperClaim, data: Snapshot | None) -> ClaimResult:
    if data is None or not data.confirm_epochs.num_rows:
        return ClaimResult(block, claim, None, None, "cannot tell")
    last = pc.max(data.confirm_epochs["epoch"]).as_py()
    epoch = max(1, round(claim.at * last))
    better, worse = (_by_seed(data, method, epoch, claim.measure) for method in (claim.better, claim.worse))
    sign = 1 if claim.measure == "accuracy" else -1
    differences = [sign * (better[seed] - worse[seed]) for seed in sorted(better.keys() & worse.keys())]
    images = min((row["n_test"] for row in data.final if row["n_test"]), default=None)
    floor = difference_floor(images) if claim.measure == "accuracy" else 0.0
    difference = mean_interval(differences, floor)
    return ClaimResult(block, claim, epoch, difference, _verdict(difference))


def _by_seed(data: Snapshot, method: str, epoch: int, measure: str) -> dict[int, float]:
    column = "val_accuracy" if measure == "accuracy" else "val_loss"
    table = data.confirm_epochs
    there = table.filter(pc.and_(pc.equal(table["regularizer"], method), pc.equal(table["epoch"], epoch)))
    rows = zip(there["seed"].to_pylist(), there[column].to_pylist(), strict=True)
    return {seed: value for seed, value in rows if value is not None}


def _verdict(difference: Estimate | None) -> Verdict:
    if difference is None or difference.low is None or difference.high is None:
        return "cannot tell"
    return "agrees" if difference.low > 0 else "differs" if difference.high < 0 else "cannot tell"
