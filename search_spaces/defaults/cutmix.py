"""CutMix: the share of the batches that are mixed, and alpha."""

from search_spaces.domains import uniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"probability": uniform(0.0, 1.0), "alpha": 1.0},
    start=[{"probability": 0.5}],
    priors={"probability": Prior(0.5, 0.3, "Yun et al. 2019: 0.5 on CIFAR, 1 on ImageNet")},
)
