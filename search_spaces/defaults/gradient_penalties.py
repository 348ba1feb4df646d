"""Penalties on gradients by the images (db, jac, fob, hsfob and variants): lambda."""

from search_spaces.domains import choice, loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"strength": loguniform(1e-6, 3.0)},
    start=[{"strength": 1e-2}],
    priors={"strength": Prior(0.1, 20, "a guess with a wide spread; Hoffman et al. 2019 take 0.01")},
)

#: The thesis' grid: 1 and 3 times the powers of ten from 1e-6 to 1.
PAPER = SearchSpace({"strength": choice([m * 10.0**k for k in range(-6, 1) for m in (1, 3)])})
