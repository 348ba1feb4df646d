"""L1: lambda."""

from search_spaces.domains import loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"strength": loguniform(1e-8, 1e-2)},
    start=[{"strength": 1e-5}],
    priors={"strength": Prior(1e-5, 10, "a guess")},
)
