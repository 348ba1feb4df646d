"""All tables and figures that can be reproduced, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tune_reg.errors import StudyError, did_you_mean
from tune_reg.reproduction import adadecay, learning_rate, noise_and_penalties, residual_smoothing
from tune_reg.reproduction.preset import BlockPreset, Reproducible, Scale

REPRODUCTIONS: Final[dict[str, Reproducible]] = {
    item.name: item
    for item in (*residual_smoothing.ITEMS, *adadecay.ITEMS, *learning_rate.ITEMS, *noise_and_penalties.ITEMS)
}


def reproducible(name: str) -> Reproducible:
    """The table or figure of that name, or one block of it as ``NAME/BLOCK``; ``StudyError`` where there is none.

    >>> reproducible("adadecay-table-1").title
    'AdaDecay, table I: the slope alpha'
    >>> [block.name for block in reproducible("adadecay-table-1/mnist-nn-2").blocks("full")]
    ['mnist-nn-2']
    """
    item_name, _, block_name = name.partition("/")
    if item_name not in REPRODUCTIONS:
        raise StudyError(
            f"reproduce: there is no table or figure {item_name!r}{did_you_mean(item_name, REPRODUCTIONS)}; "
            "`tune-reg reproduce list` shows all"
        )
    item = REPRODUCTIONS[item_name]
    return _one_block(item, block_name) if block_name else item


def _one_block(item: Reproducible, block_name: str) -> Reproducible:
    def blocks(scale: Scale) -> tuple[BlockPreset, ...]:
        there = {block.name: block for block in item.blocks(scale)}
        if block_name not in there:
            raise StudyError(
                f"reproduce: {item.name} has no block {block_name!r} at scale {scale}; it has {', '.join(there)}"
            )
        return (there[block_name],)

    return replace(item, name=f"{item.name}/{block_name}", blocks=blocks)
