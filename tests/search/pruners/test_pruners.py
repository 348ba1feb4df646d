from typing import get_args

import numpy as np
import optuna
import pytest
import scipy.stats
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from search_spaces import DefinedByRun, SearchSpace, uniform
from tune_reg.search import pruners
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.search.pruners.out_of_reach import OutOfReach
from tune_reg.search.pruners.predicted_halving import PredictedHalving
from tune_reg.search.pruners.successive_halving import SuccessiveHalving
from tune_reg.search.pruners.wilcoxon_over_seeds import WilcoxonOverSeeds
from tune_reg.study import SearchSettings, Task
from tune_reg.study.settings import PrunerName

NAMES = get_args(PrunerName)


def settings(name, **keys):
    """With independent draws; but "pause" goes with its own sampler alone, and stops what a function's space gives."""
    if name != "pause":
        keys["sampler"] = "random"
    return SearchSettings(pruner=name, seeds=4 if name == "wilcoxon" else 1, **keys)


def by_a_function(trial):
    return {"x": trial.suggest_float("x", 0, 1)}


def search(path, name, *, new_each_trial):
    """The epochs that each trial was trained for."""
    path.mkdir()
    space = DefinedByRun(by_a_function) if name == "pause" else SearchSpace({"x": uniform(0, 1)})
    task = Task("a", 1.0, space, 40)
    lengths, search_ = [], None
    for _ in range(40):
        if search_ is None or new_each_trial:
            chosen = settings(name, reduction_factor=2)
            search_ = AskTell(path / "journal", [task], chosen, epochs=8, seed=5)
        trial = search_.ask()
        for epoch in range(1, 9):
            decision = search_.report(trial, epoch, trial.params["x"] - 1 / epoch)
            if decision is Decision.STOP and epoch < 8:
                search_.tell(trial, "pruned")
                break
        else:
            search_.tell(trial, "complete", trial.params["x"])
        lengths.append(epoch)
    return lengths


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_search_stops_what_the_uninterrupted_one_stops(tmp_path, name):
    through = search(tmp_path / "a", name, new_each_trial=False)
    assert through == search(tmp_path / "b", name, new_each_trial=True)
    assert (min(through) < 8) == (name not in ("none", "wilcoxon"))  # which stops between seeds, not epochs
    assert max(through) == 8


def test_hyperband_trains_some_trials_longer_than_asha_before_it_stops_them(tmp_path):
    asha = search(tmp_path / "a", "asha", new_each_trial=False)
    hyperband = search(tmp_path / "b", "hyperband", new_each_trial=False)
    assert hyperband.count(1) < asha.count(1)
    assert hyperband.count(8) > asha.count(8)


def test_the_names_of_a_study_file_build_the_pruners_that_they_say():
    names = {name: type(pruners.build(settings(name), epochs=8)).__name__ for name in NAMES}
    assert (
        names.items()
        >= {
            "pause": "PredictedHalving",  # where the model cannot search
            "predicted": "PredictedHalving",
            "asha": "SuccessiveHalving",
            "hyperband": "SuccessiveHalving",
            "median": "MedianPruner",
            "wilcoxon": "WilcoxonOverSeeds",
            "none": "NopPruner",
        }.items()
    )


def trial(number, curve, x, value=None):
    return optuna.create_trial(
        state=TrialState.RUNNING if value is None else TrialState.COMPLETE,
        values=None if value is None else [value],
        params={"x": x},
        distributions={"x": FloatDistribution(0, 1)},
        intermediate_values=curve,
    )


def race(*trials):
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    return study, study.get_trials()


def test_a_slow_starter_goes_on_where_its_like_ended_well():
    slow = [trial(i, {1: 0.1, 3: 0.9}, x=0.9, value=0.9) for i in range(3)]
    fast = [trial(i, {1: 0.5, 3: 0.6}, x=0.1, value=0.6) for i in range(3)]
    study, trials = race(*slow, *fast, trial(6, {1: 0.12}, x=0.88), trial(7, {1: 0.45}, x=0.12))
    by_prediction, as_it_stands = PredictedHalving(1, 3), SuccessiveHalving(1, 3)
    assert [by_prediction.prune(study, t) for t in trials[6:]] == [False, True]
    assert as_it_stands.prune(study, trials[6])


def test_one_unlike_all_that_have_finished_gets_the_benefit_of_the_doubt():
    starts = [0.2, 0.3, 0.25, 0.35, 0.2, 0.3, 0.25]
    ends = [start + 0.3 + i / 40 for i, start in enumerate(starts)]
    known = [trial(i, {1: a, 3: b}, x=i / 20, value=b) for i, (a, b) in enumerate(zip(starts, ends, strict=True))]
    study, trials = race(*known, trial(7, {1: 0.24}, x=0.12), trial(8, {1: 0.24}, x=0.95))
    assert [PredictedHalving(1, 2).prune(study, t) for t in trials[7:]] == [True, False]


def test_the_first_two_that_come_to_an_end_are_never_stopped():
    worst = [trial(i, {1: 1.0 - i / 20}, x=0.5) for i in range(6)]
    study, trials = race(*worst)  # all running
    assert [t.number for t in trials if not PredictedHalving(1, 3).prune(study, t)] == [0, 1]
    diverged = optuna.create_trial(state=TrialState.FAIL)
    study, trials = race(diverged, trial(1, {1: 0.9, 3: 1.0}, x=0.5, value=1.0), diverged, trial(3, {1: 0.1}, x=0.5))
    assert not PredictedHalving(1, 3).prune(study, trials[3])
    study, trials = race(*worst[:3], trial(3, {1: 0.9, 3: 1.0}, x=0.5, value=1.0))
    assert [t.number for t in trials if not PredictedHalving(1, 3).prune(study, t)] == [0, 1, 3]


def test_without_finished_trials_values_are_compared_as_they_are():
    study, trials = race(*[trial(i, {1: (7 * i % 10) / 10}, x=0.5) for i in range(10)])
    kept = [t.number for t in trials[2:] if not PredictedHalving(1, 2).prune(study, t)]
    best = sorted(trials, key=lambda t: -t.intermediate_values[1])[:5]
    assert kept == sorted(t.number for t in best if t.number >= 2)


@pytest.mark.parametrize(("seeds", "lower", "stops"), [(3, 3, False), (4, 4, True), (4, 3, False), (6, 5, True)])
def test_a_race_over_seeds_stops_what_its_seeds_show_to_be_worse(seeds, lower, stops):
    best = [0.8, 0.7, 0.9, 0.85, 0.75, 0.8]
    own = [b - 0.1 - 0.01 * i if i < lower else b + 0.005 for i, b in enumerate(best[:seeds])]

    def means(values):
        return {5 * (i + 1): sum(values[: i + 1]) / (i + 1) for i in range(len(values))}

    study, trials = race(trial(0, means(best), x=0.1, value=0.8), trial(1, means(own), x=0.2))
    assert WilcoxonOverSeeds(5).prune(study, trials[1]) == stops
    p = scipy.stats.wilcoxon(np.array(own) - best[:seeds], alternative="less").pvalue
    assert stops == (seeds >= 4 and p < 0.1)


def test_single_epochs_stop_nothing_in_a_race_over_seeds():
    study, trials = race(trial(0, {5: 0.9}, x=0.1, value=0.9), trial(1, {1: 0.0, 5: 0.1, 7: 0.0}, x=0.2))
    assert not WilcoxonOverSeeds(5).prune(study, trials[1])


@pytest.mark.parametrize(
    ("start", "images", "stops"),
    [
        (0.55, 10_000, True),  # it will come to 0.65: far below
        (0.80, 10_000, False),  # the best
        (0.70, 5, False),  # 5 images cannot tell its 0.8 from the 0.9 of the best
        (0.70, 10_000, True),
    ],
)
def test_with_a_second_objective_what_cannot_come_within_a_standard_error_of_the_best_stops(start, images, stops):
    known = [trial(i, {3: 0.5 + i / 20, 9: 0.6 + i / 20}, x=i / 8, value=0.6 + i / 20) for i in range(7)]
    study, trials = race(*known, trial(7, {3: start}, x=2.5 * (start - 0.5)))
    assert OutOfReach(3, images).prune(study, trials[-1]) is stops


def test_out_of_reach_is_judged_at_its_rung_and_by_four_finished_trials_at_least():
    known = [trial(i, {3: 0.8, 9: 0.9}, x=i / 8, value=0.9) for i in range(4)]
    study, trials = race(
        *known, trial(4, {3: 0.1}, x=0.5), trial(5, {3: 0.1, 4: 0.1}, x=0.5), trial(6, {2: 0.1}, x=0.5)
    )
    assert [OutOfReach(3, 10_000).prune(study, t) for t in trials[4:]] == [True, False, False]
    study, trials = race(*known[:3], trial(3, {3: 0.1}, x=0.5))
    assert not OutOfReach(3, 10_000).prune(study, trials[3])


def test_with_a_second_objective_pause_is_out_of_reach_at_a_third_of_the_epochs():
    chosen = SearchSettings(second_objective={"kind": "epoch_time"}, seeds=2)
    assert type(pruners.build(chosen, epochs=18, images=7)).__name__ == "OutOfReach"
    assert vars(pruners.build(chosen, epochs=18, images=7)) == {"_rung": 3, "_images": 7}
