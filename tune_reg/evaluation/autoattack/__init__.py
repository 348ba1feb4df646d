"""The parts of AutoAttack: two forms of APGD, which follow gradients, and Square, which needs none."""

from tune_reg.evaluation.autoattack.apgd import apgd
from tune_reg.evaluation.autoattack.losses import cross_entropy, margin, targeted_difference
from tune_reg.evaluation.autoattack.square import square

__all__ = ["apgd", "cross_entropy", "margin", "square", "targeted_difference"]
