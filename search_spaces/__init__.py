"""Search spaces: which hyperparameters are searched, over which range, and where the search starts.

The package imports nothing else of the project, and Ray Tune or Optuna only to convert to their types.
"""

from search_spaces.conditional import Conditional, when
from search_spaces.convert import as_space
from search_spaces.define_by_run import DefinedByRun
from search_spaces.domains import (
    Choice,
    Domain,
    Float,
    Integer,
    SpaceError,
    Value,
    choice,
    integer,
    loguniform,
    uniform,
)
from search_spaces.plain import entry_from_plain, entry_to_plain, entry_to_table
from search_spaces.priors import Prior
from search_spaces.scheduled import ScheduleSpace, schedule
from search_spaces.space import SearchSpace

__all__ = [
    "Choice",
    "Conditional",
    "DefinedByRun",
    "Domain",
    "Float",
    "Integer",
    "Prior",
    "ScheduleSpace",
    "SearchSpace",
    "SpaceError",
    "Value",
    "as_space",
    "choice",
    "entry_from_plain",
    "entry_to_plain",
    "entry_to_table",
    "integer",
    "loguniform",
    "schedule",
    "uniform",
    "when",
]
