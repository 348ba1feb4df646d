"""AdaDecay as a regularizer and as an optimizer, and the controls that show what its factors are worth."""

from tune_reg.regularizers.adadecay.decay import AdaDecay, AdaDecayRegularizer, decay_factor, decayed_gradient

__all__ = ["AdaDecay", "AdaDecayRegularizer", "decay_factor", "decayed_gradient"]
