"""Adaptive weight decay: the norm of the decay as a share of the gradient's norm."""

from search_spaces.domains import loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"strength": loguniform(1e-4, 1.0)},
    start=[{"strength": 0.022}],
    priors={"strength": Prior(0.022, 5, "Ghiasi et al. 2023, for adversarial training on CIFAR")},
)
