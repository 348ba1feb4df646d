import math
import statistics

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from tune_reg.search.final_values import Observed, predict, units, widest
from tune_reg.search.imputed_study import DIVERGED, ImputedStudy, imputed, most_useful


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
    begun[3, 6] = 9.0  # far ahead: counts as two standard deviations
    ends = [1, 2, 2, 7]

    def kernel(x, y, z, w):
        return math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / (2 * 0.3**2)) + 0.3 * z * w

    for x, curve, end in zip(new, begun, ends, strict=True):
        at_end = [row[end - 1] for row in curves]
        gains = [row[-1] - value for row, value in zip(curves, at_end, strict=True)]
        middle, spread = sorted(at_end)[2], statistics.pstdev(at_end)
        z = [max(-2, min(2, (value - middle) / spread)) for value in at_end]
        z_new = max(-2, min(2, (curve[end - 1] - middle) / spread))
        rest = np.array(gains) - sorted(gains)[2]
        gram = [[kernel(x, y, z[i], z[j]) + 0.1 * (i == j) for j, y in enumerate(at)] for i, x in enumerate(at)]
        near = np.array([kernel(x, y, z_new, w) for y, w in zip(at, z, strict=True)])
        inverse = np.linalg.inv(np.array(gram))
        value = curve[end - 1] + sorted(gains)[2] + near @ inverse @ rest
        variance = (1 + 0.3 * z_new**2 - near @ inverse @ near) * (rest @ inverse @ rest) / 5
        (made,) = predict(
            [observed(x, *curve[:end])], [observed(x, *curve) for x, curve in zip(at, curves, strict=True)]
        )
        assert made == pytest.approx((value, math.sqrt(variance)), abs=1e-7)
    stopped = [observed(x, *curve[:end]) for x, curve, end in zip(new, begun, ends, strict=True)]
    finished = [observed(x, *curve) for x, curve in zip(at, curves, strict=True)]
    together = predict(stopped, finished)
    assert together == [pytest.approx(predict([one], finished)[0]) for one in stopped]


def test_near_a_finished_trial_its_gain_counts_and_far_from_all_the_median():
    finished = [observed([0.0], 0.2, 0.3), observed([0.5], 0.2, 0.5), observed([1.0], 0.2, 0.7)]
    low, high = predict([observed([0.0], 0.2), observed([1.0], 0.2)], finished)
    assert 0.3 <= low.value < 0.4 < 0.6 < high.value <= 0.7
    (far,) = predict([observed([9.0], 0.2)], finished)
    assert far.value == pytest.approx(0.5)
    assert far.deviation > 2 * low.deviation > 0


def test_trials_behind_have_more_to_gain_where_finished_ones_behind_gained_more():
    finished = [observed([i / 4], 0.1 * i, 0.5) for i in range(5)]  # all end at 0.5
    behind, ahead = predict([observed([9.0], 0.0), observed([9.0], 0.4)], finished)
    assert behind.value - 0.0 > 0.4 > 0.3 > 0.2 > ahead.value - 0.4  # the median gain is 0.3


def test_only_finished_trials_that_have_a_value_there_count():
    finished = [Observed(np.zeros(1), {1: 0.0, 3: 0.9}), Observed(np.zeros(1), {2: 0.5, 3: 0.6})]
    assert [p.value for p in predict([Observed(np.ones(1), {2: 0.5})], finished)] == [pytest.approx(0.6)]


def test_without_finished_trials_the_gain_is_zero_and_anything_may_come():
    assert predict([observed([0.5], 0.25, 0.5)], []) == [(0.5, math.inf)]
    assert predict([], [observed([0.5], 0.5)]) == []


def test_a_configuration_stands_on_scales_from_0_to_1_and_choices_at_distance_1():
    def at(a, b, c):
        trial = create_trial(
            value=0.0,
            params={"a": a, "b": b, "c": c},
            distributions={
                "a": FloatDistribution(1e-4, 1.0, log=True),
                "b": IntDistribution(2, 6),
                "c": CategoricalDistribution(["x", "y", "z"]),
            },
        )
        return units([trial], trial.distributions)[0]

    assert at(1e-2, 3, "y")[:2] == pytest.approx([0.5, 0.25])
    assert np.linalg.norm(at(1e-2, 3, "x") - at(1e-2, 3, "z")) == pytest.approx(1)


def test_the_sampler_sees_stopped_trials_as_complete_and_the_journal_keeps_the_truth():
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
    as_seen = ImputedStudy(study, study.sampler, study.get_trials(), predict)
    seen = [(t.state.name, t.value) for t in as_seen.get_trials()]
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
    assert len(as_seen.get_trials(states=(TrialState.COMPLETE,))) == 3
    assert [t.value for t in ImputedStudy(study, study.sampler, study.get_trials(), None).get_trials()] == [
        t.value for t in study.trials
    ]


def test_values_far_below_the_median_are_cut():
    values = [0.1, 0.5, 0.6, 0.7, 0.3]
    trials = [frozen(TrialState.COMPLETE, {1: v}, v) for v in values]
    trials.append(frozen(TrialState.FAIL, {}, **{DIVERGED: True}))
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    # Of 0.1, 0.1, 0.3, 0.5, 0.6, 0.7 the median is 0.4 and the best 0.3 above it.
    values_seen = [t.value for t in ImputedStudy(study, study.sampler, study.get_trials(), predict).get_trials()]
    assert values_seen == pytest.approx([0.1, 0.5, 0.6, 0.7, 0.3, 0.1])
    study.add_trials([frozen(TrialState.COMPLETE, {1: v}, v) for v in (0.65, 0.68)])
    # Now the median is 0.55.
    values_seen = [t.value for t in ImputedStudy(study, study.sampler, study.get_trials(), predict).get_trials()]
    assert values_seen == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.4, 0.4, 0.65, 0.68])
    assert study.trials[0].value == 0.1


def test_divergence_is_not_imputed_before_there_is_a_value():
    assert imputed([frozen(TrialState.FAIL, {}, **{DIVERGED: True})], predict) == {}


def test_a_trial_asked_of_the_imputed_study_is_in_the_real_one():
    study = optuna.create_study(direction="maximize")
    study.add_trial(frozen(TrialState.PRUNED, {1: 0.25}))
    trial = ImputedStudy(study, optuna.samplers.RandomSampler(seed=0), study.get_trials(), predict).ask(
        {"x": FloatDistribution(0, 1)}
    )
    assert study.trials[1].params == trial.params
    assert study.trials[1].state == TrialState.RUNNING


def test_the_most_useful_trials_are_the_best_half_and_the_newest_others():
    study = optuna.create_study(direction="maximize")
    study.add_trials([frozen(TrialState.COMPLETE, {1: v}, v) for v in (0.9, 0.8, 0.1, 0.2, 0.7, 0.3, 0.4)])
    trials = study.get_trials()
    assert {t.number for t in most_useful(trials, 4)} == {0, 1, 5, 6}
    assert len(most_useful(trials, 20)) == 7
    as_seen = ImputedStudy(study, study.sampler, study.get_trials(), predict, limit=4)
    assert [t.number for t in as_seen.get_trials()] == [0, 1, 5, 6]


def test_configurations_are_scaled_by_the_widest_range_that_any_trial_had():
    trials = [
        create_trial(value=0.5, params={"x": x}, distributions={"x": FloatDistribution(0, high)})
        for x, high in ((0.5, 1.0), (0.1, 0.1))
    ]
    assert widest(trials) == {"x": FloatDistribution(0, 1)}
    assert units(trials, widest(trials)).tolist() == [[0.5], [0.1]]
