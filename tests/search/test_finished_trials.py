import random

import pytest
from optuna.trial import TrialState, create_trial

from tune_reg.search.finished_trials import FinishedTrials


def trials(n, seed):
    drawn = random.Random(seed)
    made = []
    for number in range(n):
        state = drawn.choice([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])
        curve = {epoch: drawn.choice([0.1, 0.2, 0.3]) for epoch in range(1, drawn.randint(0, 4) + 1)}
        value = drawn.choice([0.1, 0.2]) if state == TrialState.COMPLETE else None
        made.append(create_trial(state=state, value=value, intermediate_values=curve))
        made[-1].number = number
    return made


def brute(made, limit):
    def rank(t):
        last = max(t.intermediate_values, default=-1)
        return (-last, -(t.value if t.value is not None else t.intermediate_values.get(last, float("-inf"))), t.number)

    best = sorted(made, key=rank)[: limit // 2]
    others = [t for t in made if t not in best][::-1]
    return sorted(t.number for t in best + others[: limit - len(best)])


@pytest.mark.parametrize("limit", [1, 2, 7, 20, 60, 61])
@pytest.mark.parametrize("seed", range(3))
def test_they_are_the_longest_trained_half_and_the_newest_others_in_whatever_order_they_end(limit, seed):
    made = trials(60, seed)
    one_by_one = FinishedTrials()
    for trial in random.Random(seed).sample(made, len(made)):
        one_by_one.add(trial)
    for finished in (one_by_one, FinishedTrials(made)):
        assert [t.number for t in finished.most_informative(limit)] == brute(made, limit)
        assert [t.number for t in finished.most_informative()] == list(range(60))


def test_a_running_trial_has_not_ended():
    made = trials(3, 0)
    running = create_trial(state=TrialState.RUNNING)
    running.number = 3
    assert [t.number for t in FinishedTrials([*made, running]).most_informative()] == [0, 1, 2]


def test_the_seconds_of_an_epoch_are_those_of_the_first_trial_that_says_so():
    made = trials(4, 0)
    ended = FinishedTrials(made[:1])
    assert ended.epoch_s is None
    for trial, seconds in ((made[3], 3.0), (made[1], 1.0), (made[2], 2.0)):
        trial.set_user_attr("epoch_s", seconds)
        ended.add(trial)
    assert ended.epoch_s == 1.0
