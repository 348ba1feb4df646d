"""Decoupled weight decay corrected by the schedule: lambda."""

from search_spaces.domains import loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"weight_decay": loguniform(1e-6, 1e-1)},
    start=[{"weight_decay": 5e-4}],
    priors={
        "weight_decay": Prior(5e-4, 10, "that of decoupled weight decay, which it equals at the first learning rate")
    },
)
