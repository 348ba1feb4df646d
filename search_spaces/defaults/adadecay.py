"""AdaDecay: lambda and alpha."""

from search_spaces.domains import choice, loguniform, uniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"weight_decay": loguniform(1e-6, 1e-1), "alpha": uniform(-1.0, 8.0)},
    start=[{"weight_decay": 5e-4, "alpha": 4.0}],
    priors={
        "weight_decay": Prior(5e-4, 10, "Nakamura and Hong 2019, table I"),
        "alpha": Prior(4.0, 2.0, "Nakamura and Hong 2019, figure 1"),
    },
)

#: Nakamura and Hong (2019), figure 1 and table I.
PAPER = SearchSpace(
    {
        "weight_decay": choice([1e-3, 7e-4, 5e-4, 3e-4, 1e-4]),
        "alpha": choice([-1.0, 1.0, 2.0, 4.0, 8.0]),
    }
)
