"""Confidence penalty: beta."""

from search_spaces.domains import loguniform
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace({"strength": loguniform(1e-3, 10.0)}, start=[{"strength": 0.1}])
