"""Mixup: alpha."""

from search_spaces.domains import loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"alpha": loguniform(0.02, 4.0)},
    start=[{"alpha": 1.0}],
    priors={"alpha": Prior(0.5, 4, "Zhang et al. 2018: 1 on CIFAR, 0.1 to 0.4 on ImageNet")},
)
