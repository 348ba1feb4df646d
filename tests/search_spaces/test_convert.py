import pytest
from ray import tune

from search_spaces import SpaceError, as_space


def test_a_space_stays_itself(every_domain):
    assert as_space(every_domain) is every_domain


@pytest.mark.parametrize("entries", [3, None, ["alpha"], "alpha"])
def test_what_is_no_mapping_is_refused(entries):
    with pytest.raises(
        SpaceError,
        match=r"^a search space is a SearchSpace, a mapping of names to domains or a function of a trial, but got",
    ):
        as_space(entries)


def test_a_bad_entry_is_named():
    with pytest.raises(SpaceError, match=r"^alpha: low <= high must hold, but got low=3.0, high=1.0$"):
        as_space({"b": 1, "alpha": {"low": 3, "high": 1}})
    with pytest.raises(SpaceError, match=r"^alpha: a range has the keys .* but got \['grid_search'\]$"):
        as_space({"alpha": tune.grid_search([1, 2])})
