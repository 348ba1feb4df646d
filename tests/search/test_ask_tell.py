from dataclasses import replace

import optuna
import pytest

from search_spaces import DefinedByRun, SearchSpace, choice, loguniform, uniform, when
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.search.trial import TrialCounts
from tune_reg.study import SearchSettings, Task

SPACE = SearchSpace({"weight_decay": loguniform(1e-6, 1e-1), "momentum": 0.9}, start=[{"weight_decay": 5e-4}])


def task(name="weight-decay", trials=8, space=SPACE):
    return Task(name, 1.0, space, trials)


def ask_tell(path, tasks, **settings):
    """A search that stops trials and pauses none; a search that does is tested in ``test_model_search``."""
    chosen = SearchSettings(**{"sampler": "tpe-gp", **settings})
    return AskTell(path / "search.journal", tasks, chosen, epochs=8, seed=3)


def journal(path, name="weight-decay at 1"):
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path / "search.journal")))
    return optuna.load_study(study_name=name, storage=storage)


def test_the_starting_point_comes_first_with_the_fixed_values(tmp_path):
    trial = ask_tell(tmp_path, [task()]).ask()
    assert trial.params == {"weight_decay": 5e-4, "momentum": 0.9}
    assert trial.number == 0


def test_asks_no_more_than_the_budget_and_takes_the_tasks_in_turn(tmp_path):
    search = ask_tell(tmp_path, [task("a", 2), task("b", 3)])
    asked = [search.ask() for _ in range(6)]
    assert [trial.task.name if trial else None for trial in asked] == [
        "a at 1",
        "b at 1",
        "a at 1",
        "b at 1",
        "b at 1",
        None,
    ]


def test_asks_for_tasks_that_fit_alone_and_those_interrupted_first(tmp_path):
    tasks = [task("a", 2), task("b", 3)]
    search = ask_tell(tmp_path, tasks)
    assert [search.ask(lambda task: task.regularizer == "b").number for _ in range(2)] == [0, 1]
    assert search.left() == 3
    again = ask_tell(tmp_path, tasks)
    assert again.left() == 5
    # Nothing of "a" was begun: what was of "b" waits for its turn.
    asked = [again.ask(lambda task: task.regularizer == "a") for _ in range(3)]
    assert [trial and (trial.task.name, trial.number) for trial in asked] == [("a at 1", 0), ("a at 1", 1), None]
    assert [(trial.task.name, trial.number) for trial in (again.ask(), again.ask(), again.ask())] == [
        ("b at 1", 0),
        ("b at 1", 1),
        ("b at 1", 2),
    ]
    assert (again.left(), again.ask()) == (0, None)


def test_the_journal_tells_the_truth(tmp_path):
    search = ask_tell(tmp_path, [task()])
    first, second, third, fourth = (search.ask() for _ in range(4))
    for epoch, value in ((1, 0.5), (2, 0.75)):
        search.report(first, epoch, value)
    search.tell(first, "complete", 0.75)
    search.report(second, 1, 0.25)
    search.tell(second, "pruned", 0.25)
    search.tell(third, "diverged", None, "the loss is not finite in epoch 1")
    search.tell(fourth, "failed", None, "its process died")
    trials = journal(tmp_path).trials
    assert [t.state.name for t in trials] == ["COMPLETE", "PRUNED", "FAIL", "FAIL"]
    assert trials[0].value == 0.75
    assert trials[0].intermediate_values == {1: 0.5, 2: 0.75}
    assert trials[1].intermediate_values == {1: 0.25}
    assert trials[2].user_attrs["reason"] == "diverged: the loss is not finite in epoch 1"
    assert search.counts(task()) == TrialCounts(running=0, complete=1, pruned=1, failed=2, best=0.75)


def test_successive_halving_keeps_one_in_reduction_factor(tmp_path):
    search = ask_tell(tmp_path, [task()], pruner="asha", reduction_factor=2)
    good, bad = search.ask(), search.ask()
    assert search.report(good, 1, 0.9) is Decision.CONTINUE
    assert search.report(bad, 1, 0.1) is Decision.STOP


def test_without_a_pruner_nothing_is_stopped(tmp_path):
    search = ask_tell(tmp_path, [task()], pruner="none")
    good, bad = search.ask(), search.ask()
    assert search.report(good, 1, 0.9) is Decision.CONTINUE
    assert search.report(bad, 1, 0.1) is Decision.CONTINUE


def test_tasks_do_not_prune_each_other(tmp_path):
    search = ask_tell(tmp_path, [task("a"), task("b")], pruner="asha", reduction_factor=2)
    strong, weak = search.ask(), search.ask()
    assert strong.task.name != weak.task.name
    search.report(strong, 1, 0.9)
    assert search.report(weak, 1, 0.1) is Decision.CONTINUE


def test_a_new_brain_asks_interrupted_trials_again_first_and_none_twice(tmp_path):
    search = ask_tell(tmp_path, [task()])
    asked = [search.ask() for _ in range(4)]
    search.report(asked[0], 1, 0.5)
    search.tell(asked[1], "complete", 0.6)
    again = ask_tell(tmp_path, [task()])
    resumed = [again.ask() for _ in range(3)]
    assert [(t.number, t.params) for t in resumed] == [(t.number, t.params) for t in asked if t.number != 1]
    assert again.report(resumed[0], 1, 0.5) is Decision.CONTINUE  # known already: no second report, no warning
    assert [again.ask().number for _ in range(4)] == [4, 5, 6, 7]
    assert again.ask() is None


def test_rungs_survive_a_new_brain(tmp_path):
    search = ask_tell(tmp_path, [task()], pruner="asha", reduction_factor=2)
    good = search.ask()
    search.report(good, 1, 0.9)
    search.tell(good, "complete", 0.9)
    again = ask_tell(tmp_path, [task()], pruner="asha", reduction_factor=2)
    assert again.report(again.ask(), 1, 0.1) is Decision.STOP


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_an_interrupted_search_asks_what_the_uninterrupted_one_asks(tmp_path, sampler):
    def search(path, brains):
        path.mkdir()
        params = []
        search = None
        for number in range(12):
            if search is None or brains == "new":
                search = ask_tell(path, [task(trials=12)], sampler=sampler)
            trial = search.ask()
            assert trial.number == number
            params.append(trial.params["weight_decay"])
            value = -abs(trial.params["weight_decay"] - 1e-3)
            search.report(trial, 1, value)
            search.tell(trial, "complete", value)
        return params

    through, interrupted = search(tmp_path / "a", "one"), search(tmp_path / "b", "new")
    assert through == interrupted
    assert len(set(through)) == 12


def test_tpe_learns(tmp_path):
    space = SearchSpace({"x": uniform(0, 1), "kind": choice(["good", "bad"])})
    search = ask_tell(tmp_path, [task(trials=60, space=space)], sampler="tpe", pruner="none")
    values = []
    for _ in range(60):
        trial = search.ask()
        values.append(-((trial.params["x"] - 0.3) ** 2) - (trial.params["kind"] == "bad"))
        search.tell(trial, "complete", values[-1])
    assert sum(values[40:]) > 2 * sum(values[:20])
    assert search.winner(search.tasks[0]).params["kind"] == "good"


def test_winner_is_the_first_of_equals_and_none_without_complete_trials(tmp_path):
    search = ask_tell(tmp_path, [task()])
    trials = [search.ask() for _ in range(3)]
    search.tell(trials[0], "pruned", 0.9)
    assert search.winner(task()) is None
    search.tell(trials[2], "complete", 0.5)
    search.tell(trials[1], "complete", 0.5)
    assert search.winner(task()).number == 1


def test_telling_twice_changes_nothing(tmp_path):
    search = ask_tell(tmp_path, [task()])
    trial = search.ask()
    search.tell(trial, "complete", 0.5)
    with pytest.raises(KeyError):
        search.tell(trial, "complete", 0.7)
    assert journal(tmp_path).trials[0].value == 0.5


def test_a_search_that_has_stagnated_ends_early(tmp_path):
    search = ask_tell(tmp_path, [task(trials=30)], pruner="none", sampler="random", patience=3)
    values = [0.5, 0.4, 0.6, 0.6, 0.1, 0.2, 0.9]
    for value in values[:6]:
        assert not search.finished(task(trials=30))
        search.tell(search.ask(), "complete", value)
    assert search.ask() is None
    assert search.finished(task(trials=30))
    again = ask_tell(tmp_path, [task(trials=30)], pruner="none", sampler="random", patience=3)
    assert again.finished(task(trials=30))
    assert again.winner(task(trials=30)).number == 2


def test_a_search_waits_for_those_that_may_still_be_better(tmp_path):
    search = ask_tell(tmp_path, [task(trials=30)], pruner="none", sampler="random", patience=2)
    first = search.ask()
    for _ in range(4):
        search.tell(search.ask(), "complete", 0.5)
    search.tell(first, "complete", 0.4)
    assert search.ask() is None


@pytest.mark.parametrize("sampler", ["tpe-gp", "tpe", "gp", "cma-es", "qmc", "random"])
def test_every_sampler_takes_conditions(tmp_path, sampler):
    entries = {
        "annealing": choice(["laplace", "constant"]),
        "b": when(uniform(0.1, 1.0), annealing="laplace"),
        "weight_decay": loguniform(1e-5, 1e-1),
    }
    search = ask_tell(tmp_path, [task(trials=24, space=SearchSpace(entries))], sampler=sampler, reduction_factor=2)
    while (trial := search.ask()) is not None:
        assert ("b" in trial.params) == (trial.params["annealing"] == "laplace")
        for epoch in (1, 2, 4, 8):
            value = trial.params["weight_decay"] * epoch + trial.params.get("b", 0.0)
            if search.report(trial, epoch, value) is Decision.STOP and epoch < 8:
                search.tell(trial, "pruned")
                break
        else:
            search.tell(trial, "complete", value)
    assert search.counts(task(space=SearchSpace(entries))).pruned > 3


# Which search a task has, and how much of the budget


def by_a_function(trial):
    return {"x": trial.suggest_float("x", 0, 1)}


@pytest.mark.parametrize(
    ("space", "settings", "modelled"),
    [
        (SPACE, {}, True),
        (SPACE, {"pruner": "none"}, True),
        (SPACE, {"sampler": "tpe"}, False),
        (SPACE, {"pruner": "asha"}, False),
        (SPACE, {"second_objective": {"kind": "epoch_time"}}, False),
        (DefinedByRun(by_a_function), {}, False),
        (SearchSpace({"momentum": 0.9}), {}, False),
    ],
    ids=["default", "no rungs", "a sampler", "a pruner", "two objectives", "a function", "nothing to search"],
)
def test_trials_are_paused_where_there_is_a_model_of_their_final_values(tmp_path, space, settings, modelled):
    of = task(trials=5, space=space)
    search = AskTell(tmp_path / "search.journal", [of], SearchSettings(**settings), epochs=8, seed=3)
    assert search.by_model(of) is modelled
    assert (search.trainings(of) is None) is not modelled
    paused = 0
    while (trial := search.ask()) is not None:
        decision = search.report(trial, 3, 0.5)
        paused += decision is Decision.PAUSE
        if decision is Decision.CONTINUE:
            second = {"second": 1.0} if "second_objective" in settings else {}
            search.report(trial, 8, 0.6)
            search.tell(trial, "complete", 0.6, **second)
        elif decision is Decision.STOP:
            search.tell(trial, "pruned")
        for over in search.over():
            search.tell(over, "pruned")
    assert search.finished(of)
    assert paused == 0 or modelled
    assert bool(search.expected(of)) is modelled
    assert search.winner(of) is not None


@pytest.mark.parametrize("sampler", ["knowledge-gradient", "random"])
def test_in_seconds_what_trains_slowly_gets_fewer_epochs(tmp_path, sampler):
    """Regularizer "b" takes twice as long for an epoch as "a": it gets half of the epochs."""
    tasks = [task("a", 8), task("b", 8)]
    settings = SearchSettings(sampler=sampler, pruner="none", budget="seconds", shared_values=False)
    path = tmp_path / "search.journal"
    search = AskTell(path, tasks, settings, epochs=8, seed=3)
    while (trial := search.ask()) is not None:
        for step in range(1, 9):
            search.report(trial, step, 0.5 + 0.01 * step)
        search.tell(trial, "complete", 0.58, epoch_s=1.0 if trial.task is tasks[0] else 2.0)
    assert [search.counts(of).complete for of in tasks] == [8, 4]
    again = AskTell(path, tasks, settings, epochs=8, seed=3)
    assert all(again.finished(of) for of in tasks)
    in_epochs = AskTell(path, tasks, settings.model_copy(update={"budget": "epochs"}), epochs=8, seed=3)
    assert in_epochs.ask().task is tasks[1]


@pytest.mark.parametrize("sampler", ["knowledge-gradient", "random"])
def test_an_epoch_of_two_passes_counts_twice(tmp_path, sampler):
    """Regularizer "b" takes the gradient of each batch twice: it gets half of the epochs."""
    tasks = [task("a", 8), replace(task("b", 8), passes=2)]
    settings = SearchSettings(sampler=sampler, pruner="none", shared_values=False)
    search = AskTell(tmp_path / "search.journal", tasks, settings, epochs=8, seed=3)
    while (trial := search.ask()) is not None:
        for step in range(1, 9):
            search.report(trial, step, 0.5 + 0.01 * step)
        search.tell(trial, "complete", 0.58, epoch_s=1.0)
    assert [search.counts(of).complete for of in tasks] == [8, 4]
    alone = AskTell(tmp_path / "alone.journal", tasks[1:], settings, epochs=8, seed=3)
    assert alone.left() == 8
