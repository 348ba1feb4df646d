"""Constrained parameter regularization: when the bounds are set, and how fast the multipliers follow."""

from search_spaces.domains import loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"warm_up": loguniform(0.005, 0.9), "rate": 1.0},
    start=[{"warm_up": 0.1}],
    priors={"warm_up": Prior(0.1, 3, "a guess: some multiple of the steps in which a learning rate warms up")},
)
