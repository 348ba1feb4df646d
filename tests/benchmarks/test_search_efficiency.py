"""Searches that are replayed on tables of learning curves: what a replay means, arm by arm."""

import enum
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from search_spaces import loguniform, uniform
from tune_reg.study import SearchSettings


@pytest.fixture
def tables(module):
    return module("_search.tables")


@pytest.fixture
def simulation(module):
    return module("_search.simulation")


@pytest.fixture
def arms(module):
    return module("_search.arms")


@pytest.fixture
def table_file(tmp_path):
    """A table of the method "wd": 4 strengths, the first of which is off, 2 learning rates, 3 seeds, 6 epochs.

    The test accuracy of strength number s, learning rate number r is 0.5 + 0.1 s + 0.05 r, except for the last strength
    with 0.1 less; a seed s adds 0.001 s to its curve. Rows lie in no order.
    """
    strengths, rates = [0.0, 1e-4, 1e-3, 1e-2], [0.03, 0.3]
    cells = [(s, r) for r in (1, 0) for s in (2, 0, 3, 1)]
    final = np.array([0.5 + 0.1 * s + 0.05 * r - 0.2 * (s == 3) for s, r in cells])
    curves = np.stack([final[:, None] * np.linspace(0.5, 1, 6) + 0.001 * seed for seed in range(3)])
    arrays = {
        "wd_S": np.array([strengths[s] for s, _ in cells]),
        "wd_L": np.array([rates[r] for _, r in cells]),
        "wd_curves": curves.astype(np.float32),
        "wd_test": np.tile(final, (3, 1)).astype(np.float32),
    }

    def write(**changed):
        path = tmp_path / "table.npz"
        np.savez(path, **{key: value for key, value in (arrays | changed).items() if value is not None})
        return path

    write.arrays = arrays
    return write


def test_a_problem_for_each_method_with_the_strength_alone_and_with_the_learning_rate(tables, table_file):
    alone, both = tables.table_problems(table_file())
    assert (alone.name, both.name, alone.epochs) == ("wd", "wd x lr", 6)
    assert alone.regularizer == "weight-decay"
    assert alone.space.domains == {"weight_decay": loguniform(1e-4, 1e-2)}, "0 has no place on a logarithmic scale"
    assert both.space.domains == {"weight_decay": loguniform(1e-4, 1e-2), "learning_rate": loguniform(0.03, 0.3)}


def test_strengths_that_are_spaced_evenly_are_searched_evenly(tables):
    assert tables.domain(np.array([0, 0.1, 0.2, 0.3, 0.4])) == uniform(0, 0.4)
    assert tables.domain(np.array([0, 0.01, 0.03, 0.1, 0.3])) == loguniform(0.01, 0.3)
    assert tables.domain(np.array([-1, 0, 1, 2])) == uniform(-1, 2)


def test_the_table_says_what_it_varies(tables, table_file):
    alone, _ = tables.table_problems(table_file(wd_regularizer=np.array("l1"), wd_hyperparameter=np.array("strength")))
    assert alone.regularizer == "l1"
    assert list(alone.space.domains) == ["strength"]


def test_between_two_strengths_a_curve_lies_between_their_curves_of_the_same_seed(tables, table_file):
    alone, both = tables.table_problems(table_file())
    order = np.random.default_rng(7).permutation(3)
    shape = np.linspace(0.5, 1, 6)
    at_node = alone.training(np.array([0.5]), replay=7, number=0, seed=1)
    assert at_node == pytest.approx(0.75 * shape + 0.001 * order[1]), "strength 1e-3 at 0.3, the better learning rate"
    between = alone.training(np.array([0.25]), replay=7, number=5, seed=1)
    assert between == pytest.approx(0.70 * shape + 0.001 * order[1])
    again = alone.training(np.array([0.25]), replay=7, number=6, seed=4)
    assert (again == between).all(), "after the last seed comes the first"
    middle = both.training(np.array([0.25, 0.5]), replay=7, number=0, seed=0)
    assert middle == pytest.approx(0.675 * shape + 0.001 * order[0])


def test_replays_take_the_seeds_of_the_table_in_different_orders(tables, table_file):
    alone, _ = tables.table_problems(table_file())
    firsts = {alone.training(np.array([0.5]), replay, 0, 0)[0].round(6) for replay in range(20)}
    assert len(firsts) == 3


def test_regret_is_in_points_of_test_accuracy_and_bias_in_shares_of_the_range(tables, table_file):
    alone, both = tables.table_problems(table_file())
    assert alone.regret(np.array([0.5])) == pytest.approx(0, abs=1e-5)
    assert alone.regret(np.array([0.25])) == pytest.approx(5, abs=1e-5)
    assert both.regret(np.array([0.5, 0.0])) == pytest.approx(5, abs=1e-5)
    assert alone.bias(np.array([0.25])) == pytest.approx(-0.25)
    assert both.bias(np.array([1.0, 0.3])) == pytest.approx(0.5)
    assert 0 < alone.regret(None) < 10
    assert math.isnan(alone.bias(None))


def test_what_lies_nearer_to_a_diverged_training_diverges(tables, table_file):
    curves, test = table_file.arrays["wd_curves"].copy(), table_file.arrays["wd_test"].copy()
    gone = (table_file.arrays["wd_S"] == 1e-2) & (table_file.arrays["wd_L"] == 0.3)
    curves[:, gone, 3:], test[:, gone] = np.nan, np.nan
    alone, _ = tables.table_problems(table_file(wd_curves=curves, wd_test=test))
    assert np.isnan(alone.training(np.array([0.8]), 0, 0, 0)).tolist() == [False] * 3 + [True] * 3
    near = alone.training(np.array([0.7]), 0, 0, 0)
    assert np.isfinite(near).all()
    assert near[3:] == pytest.approx(alone.training(np.array([0.5]), 0, 0, 0)[3:])
    assert alone.regret(np.array([1.0])) == pytest.approx(25), "as the lowest test accuracy of the table, 0.5"
    assert alone.regret(np.array([0.7])) == pytest.approx(0), "tested as it is trained: no seed diverges there"
    assert alone.regret(np.array([0.8])) == pytest.approx(25)


def test_regret_counts_the_seeds_that_diverge_at_a_place(tables, table_file):
    """A place where one seed of three is nearer to a diverged training costs a third of what is lost there."""
    curves, test = table_file.arrays["wd_curves"].copy(), table_file.arrays["wd_test"].copy()
    gone = (table_file.arrays["wd_S"] == 1e-2) & (table_file.arrays["wd_L"] == 0.3)
    curves[0, gone, 3:], test[0, gone] = np.nan, np.nan
    alone, _ = tables.table_problems(table_file(wd_curves=curves, wd_test=test))
    trained = [alone.training(np.array([0.8]), 0, 0, seed)[-1] for seed in range(3)]
    assert np.isnan(trained).sum() == 1
    accuracy = (0.69 + 0.69 + 0.5) / 3  # 0.6 of the way from 0.75 to 0.65, and the lowest of the table
    assert alone.regret(np.array([0.8])) == pytest.approx(100 * (0.75 - accuracy))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"wd_test": None}, "lacks the array wd_test"),
        ({"wd_S": None}, "lacks the array M_S"),
        ({"wd_S": np.array([1.0, 2, 2, 2, 1, 2, 2, 2])}, "wd must have each strength with each learning rate once"),
        ({"wd_S": np.ones(8)}, "wd must have two strengths at least, and learning rates above 0"),
        ({"wd_L": np.ones(3)}, "the arrays of wd do not fit one another"),
    ],
)
def test_a_table_of_another_form_is_one_line(main, capsys, table_file, changed, message):
    path = table_file(**changed)
    with pytest.raises(SystemExit) as exit_:
        main("search_efficiency", "--table", path)
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f"search_efficiency.py: argument --table: {path} {message}\n"


def test_a_file_that_is_no_table_is_one_line(main, capsys, tmp_path):
    np.save(tmp_path / "array.npy", np.ones(3))
    for path in (tmp_path / "array.npy", tmp_path / "missing.npz"):
        with pytest.raises(SystemExit):
            main("search_efficiency", "--table", path)
        error = capsys.readouterr().err
        assert error.startswith(f"search_efficiency.py: argument --table: {path} is no file of numpy arrays (")
        assert error.count("\n") == 1


def test_a_problem_that_the_table_lacks_is_one_line(main, capsys, table_file):
    with pytest.raises(SystemExit):
        main("search_efficiency", "--table", table_file(), "--problems", "ls")
    error = capsys.readouterr().err
    assert error == "search_efficiency.py: argument --problems: invalid choice: 'ls' (choose from 'wd', 'wd x lr')\n"


class Script:
    """A search that asks for trials 0, 1, ... and pauses each after its first epoch; it writes down what happens."""

    def __init__(self, simulation, epochs, trials):
        self.simulation, self.epochs, self.trials = simulation, epochs, trials
        self.asked, self.paused, self.log = 0, [], []

    def ask(self):
        if self.asked < self.trials:
            self.asked += 1
            return self.simulation.SimulatedTrial(self.asked - 1, {"weight_decay": 1e-3})
        return self.paused.pop(0) if self.paused else None

    def report(self, trial, value):
        self.log.append((trial.number, trial.epoch))
        if trial.epoch == 1:
            self.paused.append(trial)
            return "pause"
        return "stop" if trial.epoch == self.epochs else "continue"

    def pick(self):
        return {"weight_decay": float(len(self.log))}


def test_epochs_end_in_the_order_of_time_then_number_and_paused_trials_go_on(tables, simulation, table_file):
    alone, _ = tables.table_problems(table_file())
    script = Script(simulation, epochs=3, trials=3)
    picked = simulation.picks(alone, script, 0, 2, [2, 4, 5, 100])
    # Trial 2 takes the first free worker, and trial 0 the second.
    assert script.log == [(0, 1), (1, 1), (0, 2), (2, 1), (0, 3), (1, 2), (1, 3), (2, 2), (2, 3)]
    assert [pick["weight_decay"] for pick in picked] == [2, 4, 5, 9], "after the last trial nothing changes"


def test_a_search_that_has_nothing_to_do_is_asked_again_when_a_trial_reports(tables, simulation, table_file):
    alone, _ = tables.table_problems(table_file())
    script = Script(simulation, epochs=3, trials=1)
    simulation.picks(alone, script, 0, 64, [100])
    assert script.log == [(0, 1), (0, 2), (0, 3)]


@pytest.fixture
def pausing_search(arms, monkeypatch):
    """The search of this project, in place of which one stands that pauses every trial once, on two seeds in turn."""

    class Decision(enum.Enum):
        CONTINUE = "go on"
        PAUSE = "wait"
        STOP = "end"

    class Pausing:
        def __init__(self, storage, tasks, settings, *, epochs, seed, metric):
            self.task, self.paused, self.asked, self.told = tasks[0], [], 0, []

        def ask(self):
            if self.paused:
                return self.paused.pop()
            self.asked += 1
            params = {name: domain.high for name, domain in self.task.space.domains.items()}
            return SimpleNamespace(number=self.asked - 1, task=self.task, params=params, seed_index=self.asked % 2)

        def report(self, trial, epoch, value):
            if epoch == 2:
                self.paused.append(trial)
                return Decision.PAUSE
            return Decision.STOP if epoch == 4 and trial.number == 1 else Decision.CONTINUE

        def tell(self, trial, state, value=None, reason=None, *, epoch_s):
            self.told.append((trial.number, state, value))

        def winner(self, task):
            return None

    monkeypatch.setattr(arms, "AskTell", Pausing)
    return arms.OwnSearch


def test_a_paused_trial_of_this_projects_search_goes_on_after_its_last_epoch(
    tables, simulation, pausing_search, table_file
):
    alone, _ = tables.table_problems(table_file())
    search = pausing_search(alone, None, 0)
    trials = []
    ask = search.ask
    search.ask = lambda: trials.append(ask()) or trials[-1]
    assert simulation.picks(alone, search, 0, 1, [10, 11]) == [None, None]
    assert [trial.number for trial in trials] == [0, 0, 1, 1, 2]
    assert [trial.seed for trial in trials] == [1, 1, 0, 0, 1]
    final = alone.training(np.array([1.0]), 0, 0, 1)[-1]
    stopped = alone.training(np.array([1.0]), 0, 1, 0)[3]
    assert search._search.told == [(0, "complete", final), (1, "pruned", stopped)]


@pytest.mark.parametrize(("arm", "trials"), [("default", [4, 8, 16, 24, 40]), ("default-cut-short", [10_000])])
def test_a_search_of_each_budget_knows_it(tables, arms, pausing_search, table_file, monkeypatch, arm, trials):
    alone, _ = tables.table_problems(table_file())
    searches = []
    begin = pausing_search.__init__
    monkeypatch.setattr(
        pausing_search,
        "__init__",
        lambda self, *args, **kwargs: (begin(self, *args, **kwargs), searches.append(self))[0],
    )
    arms.ARMS[arm].scores(alone, 0, 8, seed_each=False)
    assert [search._task.trials for search in searches] == trials


def test_the_default_pauses_no_trial_and_the_arm_before_it_does(tables, simulation, arms, table_file):
    alone, _ = tables.table_problems(table_file())
    actions = {"default": set(), "pauses": set()}
    for arm, seen in actions.items():
        search = arms.ARMS[arm].make(alone, 0, False, 12 * alone.epochs)
        report = search.report

        def noted(trial, value, report=report, seen=seen):
            action = report(trial, value)
            seen.add(action)
            return action

        search.report = noted
        simulation.picks(alone, search, 0, 1, [12 * alone.epochs])
    assert actions == {"default": {"continue", "stop"}, "pauses": {"continue", "stop", "pause"}}


@pytest.mark.parametrize(("which", "seeds"), [("named", [1, 0, 1]), ("one", [0, 0, 0]), ("each", [0, 1, 2])])
def test_trials_train_on_the_seeds_that_the_search_names_or_on_one_or_each_on_its_own(
    tables, pausing_search, table_file, which, seeds
):
    alone, _ = tables.table_problems(table_file())
    search = pausing_search(alone, None, 0, which)
    assert [search.ask().seed for _ in range(3)] == seeds


def test_values_above_one_are_told_apart_by_the_search(module, simulation, arms):
    problem = module("_search.problems").Hartmann(3)
    search = arms.OwnSearch(problem, SearchSettings(), 1)
    simulation.picks(problem, search, 1, 1, [8 * problem.epochs])
    assert max(value.mean for value in search._search.expected(search._task)) > 1.5


def test_one_epoch_uses_its_budget_and_trains_the_best_three_to_the_end(tables, simulation, arms, table_file):
    alone, _ = tables.table_problems(table_file())
    search = arms.OneEpochSearch(alone, 0, 4 * 6, seed_each=False)
    log = []
    report = search.report
    search.report = lambda trial, value: log.append((trial.number, trial.epoch, value)) or report(trial, value)
    (pick,) = simulation.picks(alone, search, 0, 8, [4 * 6])
    assert len(log) == 4 * 6
    first = {number: value for number, epoch, value in log if epoch == 1}
    finals = {number: value for number, epoch, value in log if epoch == 6}
    assert len(first) == 9
    assert sorted(finals) == sorted(sorted(first, key=first.get)[-3:])
    assert alone.training(simulation.to_unit(alone.space, pick), 0, 0, 0)[-1] == pytest.approx(max(finals.values()))


def test_random_picks_the_best_final_value_or_the_best_so_far_where_none_has_ended(
    tables, simulation, arms, table_file
):
    alone, _ = tables.table_problems(table_file())
    search = arms.RandomSearch(alone, 0, seed_each=False)
    params = [{"weight_decay": value} for value in (1e-4, 1e-3, 1e-2)]
    first, second, third = (simulation.SimulatedTrial(number, params[number]) for number in range(3))
    assert search.pick() is None
    for trial, epoch, value, pick in (
        (first, 1, 0.6, params[0]),
        (second, 1, 0.7, params[1]),
        (second, 2, math.nan, params[0]),
        (third, 6, 0.5, params[2]),
        (first, 6, 0.4, params[2]),
    ):
        trial.epoch = epoch
        search.report(trial, value)
        assert search.pick() == pick


def test_stock_stops_at_its_rungs_alone(tables, simulation, arms, table_file):
    alone, _ = tables.table_problems(table_file())
    for first_rung, rungs in ((1, {1, 3, 6}), (2, {2, 6})):
        search = arms.StockSearch(alone, 0, first_rung, seed_each=False)
        ends = {}
        report = search.report

        def noted(trial, value, report=report, ends=ends):
            ends[trial.number] = trial.epoch
            return report(trial, value)

        search.report = noted
        simulation.picks(alone, search, 0, 1, [100])
        assert set(list(ends.values())[:-1]) == rungs


def test_every_arm_is_measured_on_a_table(main, arms, table_file, tmp_path, capsys):
    quick = [arm for arm in arms.ARMS if not arm.startswith(("default", "old", "pauses"))]
    options = ("--table", table_file(), "--problems", "wd", "--seeds", "2", "--first-seed", "100", "--out", "out.json")
    main("search_efficiency", *options, "--arms", *quick, "--workers", "1", "8", "--seed-each")
    numbers = json.loads((tmp_path / "out.json").read_text())
    assert (numbers["table"], numbers["first_seed"], numbers["seed_each"]) == ("table.npz", 100, True)
    rows = numbers["rows"]
    assert len(rows) == len(quick) * 2 * 5
    assert rows[0].keys() == {"problem", "arm", "workers", "budget", "n", "regret", "regret_se", "bias"}
    assert {(row["arm"], row["workers"]) for row in rows} == {(arm, workers) for arm in quick for workers in (1, 8)}
    assert "wd, 8 workers, 2 seeds: mean regret / that of stock" in capsys.readouterr().out


@pytest.mark.parametrize("arm", ["default", "pauses"])
def test_the_search_by_a_model_is_measured(main, tmp_path, table_file, arm):
    main(
        "search_efficiency",
        "--table",
        table_file(),
        "--problems",
        "wd",
        "--seeds",
        "1",
        "--arms",
        arm,
        "--out",
        "o",
    )
    rows = json.loads((tmp_path / "o").read_text())["rows"]
    assert [row["regret_se"] for row in rows] == [None] * 5
    assert rows[-1]["regret"] < 5


@pytest.fixture
def efficiency(main, tmp_path):
    """What the benchmark writes at its smallest size, on made-up problems."""

    def call(*arguments):
        main("search_efficiency", "--small", "--out", "numbers.json", *arguments)
        return json.loads((tmp_path / "numbers.json").read_text())

    return call


def test_made_up_problems(efficiency, capsys, tmp_path):
    numbers = efficiency("--figure", "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000
    (result,) = numbers["results"]
    assert result["arms"]["stock"]["ratio_to_stock"] == [[1.0, 1.0, 1.0]] * 5
    assert all(low <= ratio <= high for ratio, low, high in result["arms"]["random-asha"]["ratio_to_stock"])
    assert all(row["bias"] is None and row["regret"] > 0 for row in numbers["rows"])
    assert "mean regret / that of stock" in capsys.readouterr().out


def test_arms_are_added_to_results(efficiency):
    """Also where stock, beside which the others stand, comes last."""
    alone = efficiency("--arms", "random-asha")
    assert "ratio_to_stock" not in alone["results"][0]["arms"]["random-asha"]
    both = efficiency("--arms", "stock", "--more")
    assert both["results"][0]["arms"].keys() == {"random-asha", "stock"}
    assert both["raw"][0] == alone["raw"][0]


def test_further_replays_are_added_to_those_that_were_measured(efficiency):
    few = efficiency("--arms", "random-asha", "stock")
    more = efficiency("--arms", "random-asha", "--more", "--seeds", "3")
    at_once = efficiency("--arms", "random-asha", "--seeds", "3")
    assert more["raw"][0] == at_once["raw"][0]
    assert more["raw"][1] == few["raw"][1]
    assert [row["n"] for row in more["rows"]] == [3] * 5 + [2] * 5
    arms = more["results"][0]["arms"]
    assert arms["random-asha"]["ratio_to_stock"] == few["results"][0]["arms"]["random-asha"]["ratio_to_stock"]


def test_nothing_is_added_to_results_of_other_replays(efficiency, capsys):
    efficiency("--arms", "random-asha")
    with pytest.raises(SystemExit) as exit_:
        efficiency("--arms", "stock", "--more", "--first-seed", "100")
    assert exit_.value.code == 2
    assert capsys.readouterr().err.endswith("numbers.json was measured with first_seed 0, not 100; give a new file\n")


def test_means_over_the_problems_of_a_table_are_those_of_a_kind(module):
    runs = [
        {"problem": name, "arm": arm, "workers": 1, "regret": [[value] * 5] * 3, "bias": [[None] * 5] * 3}
        for arm, values in (("stock", (2.0, 4.0, 8.0)), ("random", (1.0, 2.0, 8.0)))
        for name, value in zip(("a", "b", "a x lr"), values, strict=True)
    ]
    results = module("search_efficiency").summaries(runs, of_table=True)
    assert [result["problem"] for result in results] == ["a", "b", "a x lr", "mean of a, b"]
    assert results[-1]["arms"]["random"]["ratio_to_stock"][0] == (0.5, 0.5, 0.5)
