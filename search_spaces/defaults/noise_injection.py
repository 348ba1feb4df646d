"""Noise injection: the standard deviation of the noise."""

from search_spaces.domains import choice, loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"strength": loguniform(1e-3, 1.0)},
    start=[{"strength": 0.1}],
    priors={"strength": Prior(0.2, 4, "a guess for images in [0, 1]")},
)

#: The thesis' grid for every method: 1 and 3 times the powers of ten from 1e-6 to 1.
PAPER = SearchSpace({"strength": choice([m * 10.0**k for k in range(-6, 1) for m in (1, 3)])})
