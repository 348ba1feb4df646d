import math

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from tune_reg.search.fidelity import DIVERGED, Observed, ShownStudy, most_useful, predict, shown, unit


def frozen(state, curve, value=None, x=0.5, **attrs):
    return create_trial(
        state=state,
        value=value,
        params={"x": x},
        distributions={"x": FloatDistribution(0, 1)},
        intermediate_values=curve,
        user_attrs=attrs,
    )


def observed(unit, *values):
    return Observed(np.array(unit, dtype=float), dict(enumerate(values, start=1)))


def test_prediction_is_kriging_of_the_gain_around_its_median():
    rng = np.random.default_rng(0)
    at, curves = rng.random((5, 3)), rng.random((5, 8))
    new, begun = rng.random((4, 3)), rng.random((4, 8))
    ends = [1, 2, 2, 7]

    def kernel(x, y):
        return math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / (2 * 0.3**2))

    expected = []
    for x, curve, end in zip(new, begun, ends, strict=True):
        gains = [row[-1] - row[end - 1] for row in curves]
        median = sorted(gains)[2]
        gram = [[kernel(x, y) + 0.1 * (i == j) for j, y in enumerate(at)] for i, x in enumerate(at)]
        near = [kernel(x, y) for y in at]
        inverse = np.linalg.inv(np.array(gram))
        expected.append(curve[end - 1] + median + np.array(near) @ inverse @ (np.array(gains) - median))
    stopped = [observed(x, *curve[:end]) for x, curve, end in zip(new, begun, ends, strict=True)]
    finished = [observed(x, *curve) for x, curve in zip(at, curves, strict=True)]
    assert predict(stopped, finished) == pytest.approx(expected, abs=1e-12)


def test_near_a_finished_trial_its_gain_counts_and_far_from_all_the_median():
    finished = [observed([0.0], 0.0, 0.1), observed([0.5], 0.0, 0.3), observed([1.0], 0.0, 0.5)]
    low, high = predict([observed([0.0], 0.2), observed([1.0], 0.2)], finished)
    assert 0.3 <= low < 0.4 < 0.6 < high <= 0.7
    assert predict([observed([9.0], 0.2)], finished) == [pytest.approx(0.5)]


def test_only_finished_trials_that_have_a_value_there_count():
    finished = [Observed(np.zeros(1), {1: 0.0, 3: 0.9}), Observed(np.zeros(1), {2: 0.5, 3: 0.6})]
    assert predict([Observed(np.ones(1), {2: 0.5})], finished) == [pytest.approx(0.6)]


def test_without_finished_trials_the_gain_is_zero():
    assert predict([observed([0.5], 0.25, 0.5)], []) == [0.5]
    assert predict([], [observed([0.5], 0.5)]) == []


def test_a_configuration_stands_on_scales_from_0_to_1_and_choices_at_distance_1():
    def at(a, b, c):
        return unit(
            create_trial(
                value=0.0,
                params={"a": a, "b": b, "c": c},
                distributions={
                    "a": FloatDistribution(1e-4, 1.0, log=True),
                    "b": IntDistribution(2, 6),
                    "c": CategoricalDistribution(["x", "y", "z"]),
                },
            )
        )

    assert at(1e-2, 3, "y")[:2] == pytest.approx([0.5, 0.25])
    assert np.linalg.norm(at(1e-2, 3, "x") - at(1e-2, 3, "z")) == pytest.approx(1)


def test_the_sampler_is_shown_stopped_trials_as_complete_and_the_journal_keeps_the_truth():
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials(
        [
            frozen(TrialState.COMPLETE, {1: 0.5, 2: 0.75}, 0.75),
            frozen(TrialState.PRUNED, {1: 0.25}),
            frozen(TrialState.FAIL, {1: 0.375}, **{DIVERGED: True}),
            frozen(TrialState.FAIL, {1: 0.375}),
            frozen(TrialState.RUNNING, {1: 0.375}),
            frozen(TrialState.PRUNED, {}),
        ]
    )
    told = ShownStudy(study, study.sampler, predict)
    seen = [(t.state.name, t.value) for t in told.get_trials()]
    # A trial that failed for another reason says nothing of its configuration.
    assert seen == [
        ("COMPLETE", 0.75),
        ("COMPLETE", 0.5),
        ("COMPLETE", 0.5),
        ("FAIL", None),
        ("RUNNING", None),
        ("PRUNED", None),
    ]
    assert [t.state.name for t in study.trials] == ["COMPLETE", "PRUNED", "FAIL", "FAIL", "RUNNING", "PRUNED"]
    assert len(told.get_trials(states=(TrialState.COMPLETE,))) == 3
    assert [t.value for t in ShownStudy(study, study.sampler, None).get_trials()] == [t.value for t in study.trials]


def test_nothing_is_said_of_divergence_before_there_is_a_value():
    assert shown([frozen(TrialState.FAIL, {}, **{DIVERGED: True})], predict) == {}


def test_what_is_asked_of_the_shown_study_is_in_the_real_one():
    study = optuna.create_study(direction="maximize")
    study.add_trial(frozen(TrialState.PRUNED, {1: 0.25}))
    trial = ShownStudy(study, optuna.samplers.RandomSampler(seed=0), predict).ask({"x": FloatDistribution(0, 1)})
    assert study.trials[1].params == trial.params
    assert study.trials[1].state == TrialState.RUNNING


def test_the_most_useful_trials_are_the_best_half_and_the_newest_others():
    study = optuna.create_study(direction="maximize")
    study.add_trials([frozen(TrialState.COMPLETE, {1: v}, v) for v in (0.9, 0.8, 0.1, 0.2, 0.7, 0.3, 0.4)])
    trials = study.get_trials()
    assert {t.number for t in most_useful(trials, 4)} == {0, 1, 5, 6}
    assert len(most_useful(trials, 20)) == 7
    told = ShownStudy(study, study.sampler, predict, limit=4)
    assert [t.number for t in told.get_trials()] == [0, 1, 5, 6]
