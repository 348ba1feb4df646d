"""Constant weight decay: lambda."""

from search_spaces.domains import choice, loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"weight_decay": loguniform(1e-6, 1e-1)},
    start=[{"weight_decay": 5e-4}],
    priors={"weight_decay": Prior(5e-4, 10, "He et al. 2016, ResNet: 1e-4 to 5e-4")},
)

#: Cho, Kwon and Hong (2019), table 1: the baseline's grid.
PAPER = SearchSpace({"weight_decay": choice([1e-2, 1e-3, 1e-4, 1e-5])})
