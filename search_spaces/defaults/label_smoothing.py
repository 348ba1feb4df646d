"""Label smoothing: epsilon."""

from search_spaces.domains import uniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {"epsilon": uniform(0.0, 0.3)}, start=[{"epsilon": 0.1}], priors={"epsilon": Prior(0.1, 0.1, "Szegedy et al. 2016")}
)

#: Cho, Kwon and Hong (2019), table 3.
PAPER = SearchSpace({"epsilon": 0.1})
