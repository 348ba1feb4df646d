"""Cautious weight decay: lambda."""

from search_spaces.domains import loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"weight_decay": loguniform(1e-6, 1e-1)},
    start=[{"weight_decay": 5e-4}],
    priors={
        "weight_decay": Prior(5e-4, 10, "Chen et al. 2025: that of decoupled weight decay, without tuning it again")
    },
)
