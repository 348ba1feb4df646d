"""Penalties on gradients by the images (db, jac, fob, hsfob and variants): lambda."""

from search_spaces.domains import choice, loguniform
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace({"strength": loguniform(1e-6, 3.0)}, start=[{"strength": 1e-2}])

#: The thesis' grid: 1 and 3 times the powers of ten from 1e-6 to 1.
PAPER = SearchSpace({"strength": choice([m * 10.0**k for k in range(-6, 1) for m in (1, 3)])})
