"""Dropout: the probability to drop a unit."""

from search_spaces.domains import choice, uniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"rate": uniform(0.0, 0.5)},
    start=[{"rate": 0.125}],
    priors={
        "rate": Prior(0.25, 0.18, "between the 0.0625 of Nakamura and Hong 2019 and the 0.5 of Srivastava et al. 2014")
    },
)

#: Nakamura and Hong (2019), figure 2.
PAPER = SearchSpace({"rate": choice([0.0, 0.0625, 0.125, 0.25])})
