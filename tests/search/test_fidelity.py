import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from tune_reg.search.fidelity import DIVERGED, ShownStudy, predict, shown


def frozen(state, curve, value=None, x=0.5, **attrs):
    return create_trial(
        state=state,
        value=value,
        params={"x": x},
        distributions={"x": FloatDistribution(0, 1)},
        intermediate_values=curve,
        user_attrs=attrs,
    )


def test_prediction_is_the_last_value_and_the_median_gain():
    rng = np.random.default_rng(0)
    finished = rng.random((5, 8))
    stopped = rng.random((4, 8))
    ends = [1, 2, 2, 7]
    expected = [stopped[i, s - 1] + np.median(finished[:, -1] - finished[:, s - 1]) for i, s in enumerate(ends)]
    curves = [{e + 1: float(v) for e, v in enumerate(row)} for row in finished]
    begun = [{e + 1: float(row[e]) for e in range(s)} for row, s in zip(stopped, ends, strict=True)]
    assert predict(begun, curves) == pytest.approx(expected, abs=1e-15)


def test_only_finished_curves_that_have_a_value_there_count():
    assert predict([{2: 0.5}], [{1: 0.0, 3: 0.9}, {2: 0.5, 3: 0.6}]) == [pytest.approx(0.6)]


def test_without_finished_curves_the_gain_is_zero():
    assert predict([{1: 0.25, 2: 0.5}], []) == [0.5]
    assert predict([], [{1: 0.5}]) == []


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
