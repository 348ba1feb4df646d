"""Sharpness-aware minimization: rho."""

from search_spaces.domains import choice, loguniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"rho": loguniform(1e-3, 1.0)},
    start=[{"rho": 0.05}],
    priors={"rho": Prior(0.05, 3, "Foret et al. 2021: 0.05 for most, 0.02 to 0.2 elsewhere")},
)

#: The grid of Foret et al. (2021), section 3.1.
PAPER = SearchSpace({"rho": choice([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])})
