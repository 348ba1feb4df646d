"""Residual smoothing: the annealing's width b, the slope alpha and the weight decay beside it."""

from search_spaces.domains import choice, loguniform, uniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {
        "annealing": choice(["laplace", "logistic"]),
        "b": uniform(0.1, 1.7),
        "alpha": uniform(0.0, 4.0),
        "weight_decay": loguniform(1e-6, 1e-1),
    },
    start=[{"annealing": "laplace", "b": 0.5, "alpha": 1.0, "weight_decay": 1e-3}],
    priors={
        "b": Prior(0.5, 0.35, "Cho, Kwon and Hong 2019, table 1"),
        "alpha": Prior(1.0, 1.0, "Cho, Kwon and Hong 2019, table 1"),
        "weight_decay": Prior(1e-3, 10, "Cho, Kwon and Hong 2019, section 4"),
    },
)

#: Cho, Kwon and Hong (2019), table 1, global and local.
PAPER = SearchSpace(
    {
        "annealing": choice(["laplace", "logistic"]),
        "b": choice([0.1, 0.3, 0.5, 0.7, 0.9]),
        "alpha": choice([0.25, 0.5, 1.0, 2.0, 4.0]),
        "weight_decay": 1e-3,
    }
)
