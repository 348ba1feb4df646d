"""Sparse gradients: how sparse, from when to when, and the weight decay beside it."""

from search_spaces.domains import choice, loguniform, uniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {
        "sparsity": uniform(0.0, 0.95),
        "begin": uniform(0.0, 0.6),
        "end": 1.0,
        "weight_decay": loguniform(1e-6, 1e-1),
    },
    start=[{"sparsity": 0.5, "begin": 0.25, "weight_decay": 1e-4}],
    priors={
        "weight_decay": Prior(1e-4, 10, "table 1 of the paper"),
        "sparsity": Prior(0.5, 0.25, "table 1 of the paper"),
    },
)

#: Table 1 of the paper: schemes 22, 21 and 23, with two warm restarts after epoch 250 of 450.
PAPER = SearchSpace({"sparsity": choice([0.8, 0.5, 0.3]), "begin": 100 / 450, "end": 250 / 450, "weight_decay": 1e-4})
