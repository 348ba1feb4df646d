"""The attacks of AutoAttack: two forms of APGD and FAB, which follow gradients, and Square, which needs none."""

from tune_reg.evaluation.autoattack.apgd import apgd
from tune_reg.evaluation.autoattack.fab import fab
from tune_reg.evaluation.autoattack.losses import cross_entropy, margin, targeted_difference
from tune_reg.evaluation.autoattack.square import square

__all__ = ["apgd", "cross_entropy", "fab", "margin", "square", "targeted_difference"]
