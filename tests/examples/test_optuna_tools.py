"""Optuna's own tools on the journal that the search writes."""

import json
import math
import runpy
import wsgiref.util

import matplotlib
import matplotlib.image
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.visualization import matplotlib as figures

from search_spaces import SearchSpace, choice, loguniform, uniform
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.study import SearchSettings, Task

SPACE = SearchSpace(
    {"weight_decay": loguniform(1e-6, 1e-2), "alpha": uniform(-1, 8), "mode": choice(["coupled", "decoupled"])},
    start=[{"weight_decay": 5e-4, "alpha": 4.0}],
)

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def accuracy(params, epoch):
    """An accuracy that depends on alpha alone."""
    return 1 - 0.01 * abs(params["alpha"] - 4) - 0.2 / epoch


@pytest.fixture
def example(examples):
    """What the example defines."""
    return runpy.run_path(str(examples / "optuna_tools.py"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """30 trials of one task, stopped by predictions, one of them diverged; and a task of which one is asked."""
    directory = tmp_path_factory.mktemp("study")
    tasks = [Task("adadecay", 1.0, SPACE, 30), Task("weight-decay", 1.0, SPACE, 1)]
    settings = SearchSettings(sampler="tpe-gp", reduction_factor=2)
    brain = AskTell(directory / "search.journal", tasks, settings, epochs=4)
    while (trial := brain.ask()) is not None:
        if trial.task is tasks[1]:
            brain.report(trial, 1, 0.5)
            brain.tell(trial, "pruned")
        elif trial.number == 7:
            brain.tell(trial, "diverged", None, "the loss is not finite in epoch 1")
        else:
            train(brain, trial)
    return directory


def train(brain, trial):
    for epoch in range(1, 5):
        value = accuracy(trial.params, epoch)
        if brain.report(trial, epoch, value) is Decision.STOP and epoch < 4:
            return brain.tell(trial, "pruned", value)
    return brain.tell(trial, "complete", value)


def storage_of(directory):
    return JournalStorage(JournalFileBackend(str(directory / "search.journal")))


@pytest.fixture(scope="module")
def study(directory):
    return optuna.load_study(study_name="adadecay at 1", storage=storage_of(directory))


def styles():
    return {key: value for key, value in matplotlib.rcParams.items() if not key.startswith("backend")}


def test_the_example_draws_every_figure_that_applies(directory, example, capsys):
    of_several_objectives = {"plot_pareto_front", "plot_hypervolume_history"}
    names = {name for name in figures.__all__ if name.startswith("plot_")} - of_several_objectives
    assert {plot.__name__ for plot in example["PLOTS"]} == names
    style = styles()
    files = example["main"](directory)
    assert styles() == style
    assert {path.stem for path in files} == {name.removeprefix("plot_") for name in names}
    for path in files:
        assert path.parent == directory / "optuna" / "adadecay at 1"
        pixels = matplotlib.image.imread(path)
        assert pixels.std() > 0.01, f"{path.name} is empty"
    printed = capsys.readouterr().out
    assert "weight-decay at 1: 0 of 1 trials complete" in printed
    assert "importance of alpha: " in printed


def test_the_example_says_what_it_wants(tmp_path, example):
    with pytest.raises(SystemExit, match=r"search\.journal is no file; give the directory of a study"):
        example["main"](tmp_path)
    assert not (tmp_path / "search.journal").exists()


def test_ped_anova_finds_what_matters(tmp_path):
    """Where trials are trained to the end: of those that ASHA leaves there are too few, and none is bad."""
    settings = SearchSettings(sampler="random", pruner="none")
    brain = AskTell(tmp_path / "search.journal", [Task("adadecay", 1.0, SPACE, 60)], settings, epochs=4)
    while (trial := brain.ask()) is not None:
        train(brain, trial)
    study = optuna.load_study(study_name="adadecay at 1", storage=storage_of(tmp_path))
    importances = optuna.importance.get_param_importances(study)
    assert set(importances) == {"alpha", "weight_decay", "mode"}
    assert max(importances, key=importances.get) == "alpha"
    assert importances["alpha"] > 0.5
    assert math.isclose(sum(importances.values()), 1)


def states(study):
    return [trial.state.name for trial in study.trials]


def test_the_history_has_every_complete_trial_and_its_value(study):
    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    assert 0 < len(complete) < len(study.trials)
    with matplotlib.rc_context():
        axes = figures.plot_optimization_history(study)
    points = axes.collections[0].get_offsets()
    assert points.tolist() == [[trial.number, trial.value] for trial in complete]
    assert max(points[:, 1]) == study.best_value


def test_the_intermediate_values_show_stopped_trials_as_far_as_they_came(study):
    with matplotlib.rc_context():
        axes = figures.plot_intermediate_values(study)
    reported = [trial.intermediate_values for trial in study.trials if trial.intermediate_values]
    assert len(reported) == len(study.trials) - 1
    assert {len(values) for values in reported} >= {1, 4}
    assert [dict(zip(*line.get_data(), strict=True)) for line in axes.lines] == reported


def test_the_timeline_shows_every_trial_in_its_state(study):
    with matplotlib.rc_context():
        axes = figures.plot_timeline(study)
    assert len(axes.patches) == len(study.trials) == 30
    legend = {text.get_text() for text in axes.get_legend().get_texts()}
    assert set(states(study)) == {"COMPLETE", "PRUNED", "FAIL"} == legend


@pytest.mark.filterwarnings("ignore")  # the dashboard's own
def test_the_dashboard_opens_the_journal(directory, study):
    dashboard = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    app = dashboard.wsgi(str(directory / "search.journal"))

    def get(path):
        environment = {"PATH_INFO": path, "QUERY_STRING": "after=0"}
        wsgiref.util.setup_testing_defaults(environment)
        statuses = []
        body = b"".join(app(environment, lambda status, headers, *rest: statuses.append(status)))
        assert statuses == ["200 OK"]
        return json.loads(body)

    summaries = {s["study_name"]: s["study_id"] for s in get("/api/studies")["study_summaries"]}
    assert set(summaries) == {"adadecay at 1", "weight-decay at 1"}
    trials = get(f"/api/studies/{summaries['adadecay at 1']}")["trials"]
    assert [trial["state"].upper() for trial in trials] == states(study)
