"""MaxSup: alpha."""

from search_spaces.domains import loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"strength": loguniform(1e-3, 1.0)},
    start=[{"strength": 0.1}],
    priors={"strength": Prior(0.1, 3, "the epsilon of label smoothing, whose place it takes")},
)
