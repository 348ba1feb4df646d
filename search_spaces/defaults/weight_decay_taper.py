"""Weight decay that rises as the learning rate falls: where it starts, how steeply and how far it rises."""

from search_spaces.domains import choice, loguniform, uniform
from search_spaces.priors import Prior
from search_spaces.space import SearchSpace

DEFAULT = SearchSpace(
    {
        "weight_decay": loguniform(1e-6, 1e-2),
        "onset": loguniform(1e-3, 1.0),
        "power": uniform(0.0, 2.0),
        "ceiling": loguniform(1.0, 32.0),
        "taper": "free",
    },
    start=[{"weight_decay": 1e-4, "onset": 0.1, "power": 1.0, "ceiling": 16.0}],
    priors={"weight_decay": Prior(1e-4, 10, "table 1 of the paper")},
)

#: Table 1 of the paper: schemes 01 and 02.
PAPER = SearchSpace({"taper": choice(["sch01", "sch02"]), "weight_decay": 1e-4})
