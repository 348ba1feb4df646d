from typing import get_args

import pytest

from search_spaces import SearchSpace, uniform
from tune_reg.search import pruners
from tune_reg.search.brain import Brain
from tune_reg.study import PrunerName, SearchSettings, Task

NAMES = get_args(PrunerName)


def search(path, name, *, new_brain_each_trial):
    """The epochs that each trial was trained for."""
    path.mkdir()
    task = Task("a", 1.0, SearchSpace({"x": uniform(0, 1)}), 40)
    settings = SearchSettings(pruner=name, sampler="random", reduction_factor=2)
    lengths, mind = [], None
    for _ in range(40):
        if mind is None or new_brain_each_trial:
            mind = Brain(path / "journal", [task], settings, epochs=8, seed=5)
        trial = mind.ask()
        for epoch in range(1, 9):
            if mind.report(trial, epoch, trial.params["x"] - 1 / epoch) and epoch < 8:
                mind.tell(trial, "pruned")
                break
        else:
            mind.tell(trial, "complete", trial.params["x"])
        lengths.append(epoch)
    return lengths


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_search_stops_what_the_uninterrupted_one_stops(tmp_path, name):
    through = search(tmp_path / "a", name, new_brain_each_trial=False)
    assert through == search(tmp_path / "b", name, new_brain_each_trial=True)
    assert (min(through) < 8) == (name != "none")
    assert max(through) == 8


def test_hyperband_trains_some_trials_longer_than_asha_before_it_stops_them(tmp_path):
    asha = search(tmp_path / "a", "asha", new_brain_each_trial=False)
    hyperband = search(tmp_path / "b", "hyperband", new_brain_each_trial=False)
    assert hyperband.count(1) < asha.count(1)
    assert hyperband.count(8) > asha.count(8)


def test_names():
    assert {name: type(pruners.build(SearchSettings(pruner=name), epochs=8)).__name__ for name in NAMES} == {
        "asha": "SuccessiveHalving",
        "hyperband": "SuccessiveHalving",
        "median": "MedianPruner",
        "none": "NopPruner",
    }
