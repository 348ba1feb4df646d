"""The tables and figures of the four papers as studies: at the papers' settings, and at a scale for two cores."""

from tune_reg.reproduction.catalogue import REPRODUCTIONS, reproducible
from tune_reg.reproduction.cost import Cost, cost
from tune_reg.reproduction.preset import SCALES, BlockPreset, Reproducible, Scale
from tune_reg.reproduction.results import declare

__all__ = [
    "REPRODUCTIONS",
    "SCALES",
    "BlockPreset",
    "Cost",
    "Reproducible",
    "Scale",
    "cost",
    "declare",
    "reproducible",
]
