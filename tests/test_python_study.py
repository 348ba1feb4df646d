"""A study as a Python user declares, runs and reads it, without a file and without names."""

import html

import in_process
import numpy as np
import pytest
import torch
from torch import nn

from tune_reg import Hyperparameter, Regularizer, Study, load, register, user_objects
from tune_reg.errors import NothingSucceededError, StoreError, StudyError
from tune_reg.execution.outcome import raise_if_nothing_succeeded
from tune_reg.regularizers import registry
from tune_reg.study import make_plan

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 300)
TABLE = RNG.normal(size=(300, 6)) + 2 * LABELS[:, None]


class Net(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.layers = nn.Linear(inputs[0], classes)

    def forward(self, examples):
        return self.layers(examples)


def study(**settings):
    small = {
        "name": "table",
        "model": Net,
        "dataset": (TABLE, LABELS),
        "regularizers": ["weight-decay", "l1"],
        "training": {"epochs": 2, "batch_size": 32, "learning_rate": 0.05},
        "search": {"trials": 2},
        "confirm": {"seeds": 2},
    }
    return Study(**small | settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    directory = tmp_path_factory.mktemp("table")
    in_process.run_study(study(), directory)
    return directory


def forget(monkeypatch):
    """Forget all objects, as another process has none."""
    for table in ("_WRITTEN", "_OBJECTS", "_FOLDERS"):
        monkeypatch.setattr(user_objects, table, {})


def test_equal_studies_have_equal_hashes_and_other_data_and_code_are_no_other_study():
    assert study().hash == study().hash == study(dataset=(TABLE + 1, LABELS)).hash
    assert study().dataset != study(dataset=(TABLE + 1, LABELS)).dataset


def test_another_process_goes_on_from_the_results_directory(finished, monkeypatch):
    forget(monkeypatch)
    again = Study.from_toml(finished / "study.toml")
    assert in_process.opened(again, finished).finished


def test_other_data_are_refused(finished):
    from tune_reg.data import load as load_data
    from tune_reg.execution.results_directory import refuse_other_data

    with pytest.raises(StoreError, match="the data of arrays have changed"):
        refuse_other_data(finished, load_data(study(dataset=(TABLE + 1, LABELS)).dataset))


def test_code_that_changed_since_runs_succeeded_is_refused_by_name(tmp_path):
    in_process.run_study(study(model=lambda inputs, classes: nn.Linear(inputs[0], classes)), tmp_path)
    with pytest.raises(StoreError, match=r"changed since runs succeeded there: the model \("):
        in_process.opened(study(model=lambda inputs, classes: nn.Linear(inputs[0], classes, bias=False)), tmp_path)


def test_code_is_mended_where_no_run_succeeded(tmp_path):
    failing = True

    def net(inputs, classes):
        if failing:
            raise ValueError("no such layer")
        return nn.Linear(inputs[0], classes)

    results = in_process.run_study(study(model=net), tmp_path)
    with pytest.raises(NothingSucceededError, match="no run succeeded"):
        raise_if_nothing_succeeded(make_plan(study(model=net)), results)
    failing = False
    mended = load(in_process.run_study(study(model=net), tmp_path).directory)
    assert mended.final().num_rows == 4
    assert set(mended.final()["model"].to_pylist()) == {"python:net"}


def test_the_confirmed_network_predicts_as_it_was_tested(finished, monkeypatch):
    forget(monkeypatch)
    results = load(finished)
    tested = {(row["regularizer"], row["seed"]): row["test_accuracy"] for row in results.final().to_pylist()}
    assert len(tested) == 4
    from tune_reg.data import load as load_data

    data = load_data(Study.from_toml(finished / "study.toml").dataset)
    for (name, seed), accuracy in tested.items():
        network = results.model(name, seed)
        assert not network.training
        with torch.no_grad():
            right = network(data.test_images).argmax(1) == data.test_labels
        assert float(right.double().mean()) == pytest.approx(accuracy)
    with pytest.raises(StoreError, match=r"no such confirmed run in .*; its seeds are 1, 2"):
        results.model("l1", 9)
    with pytest.raises(StoreError, match="it has none"):
        results.model("dropout")


def test_best_settings_and_the_answer_are_those_of_the_report(finished):
    results = load(finished)
    answer = results.best()
    assert results.best(answer["regularizer"]) == {k: v for k, v in answer.items() if k != "regularizer"}
    means = {}
    for row in results.final().to_pylist():
        means.setdefault(row["regularizer"], []).append(row["test_accuracy"])
    assert np.mean(means[answer["regularizer"]]) == max(np.mean(values) for values in means.values())
    settings = results.settings("l1")
    assert settings["params"] == results.best("l1")
    assert (settings["optimizer"], settings["learning_rate"], settings["epochs"]) == ("sgd", 0.05, 2)
    with pytest.raises(StoreError, match="dropout"):
        results.settings("dropout")


def test_a_notebook_shows_the_answer_and_the_result_table(finished):
    import analysis

    shown = load(finished)._repr_html_()
    assert html.escape(analysis.verdict(load(finished)).which) in shown
    assert shown.count("<tr>") == 3
    assert "<td>l1</td>" in shown


def test_report_and_show(finished, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page = load(finished).show()
    assert page == finished / "report" / "index.html"
    assert opened == [page.absolute().as_uri()]


def test_before_a_confirmed_run_there_is_no_answer(tmp_path):
    in_process.opened(study(), tmp_path)
    results = load(tmp_path)
    assert "No confirmed run yet." in results._repr_html_()
    with pytest.raises(StoreError, match="no confirmed run has ended"):
        results.best()


@pytest.mark.parametrize("keep", ["none", "winners", "all"])
def test_which_networks_are_kept(tmp_path, keep):
    results = in_process.run_study(study(resources={"keep_networks": keep}), tmp_path)
    kept = {"none": 0, "winners": 4, "all": 4 + results.trials().num_rows}
    assert len(list((tmp_path / "checkpoints").glob("*"))) == kept[keep]
    assert results.final().num_rows == 4
    if keep == "none":
        with pytest.raises(StoreError, match=r"its network is not in .*; resources.keep_networks says which are kept"):
            load(tmp_path).model("l1")
        tested = study(resources={"keep_networks": keep}, robustness={"fgsm": [0.05], "images": 20})
        in_process.run_study(tested, tmp_path)  # they are trained again for it
        assert load(tmp_path).robustness().num_rows == 8
        assert not list((tmp_path / "checkpoints").glob("*"))


def test_check_prints_the_cost_and_what_to_know(capsys):
    study().check()
    out = capsys.readouterr().out
    assert "given to the model as they are" in out
    assert "networks: those of the confirmed runs are kept, 4 at most, each about" in out
    assert f"table: valid; hash {study().hash}" in out


def test_plugins_may_be_a_path_as_text(tmp_path):
    from plugins import ONCE_AN_EPOCH, load_regularizer

    path = load_regularizer(tmp_path, "as-text", [0.0, 1.0], "return strengths['strength'] * 0", hook=ONCE_AN_EPOCH)
    assert study(regularizers=["as-text"], plugins=str(path)).baseline == "as-text"
    assert study(regularizers=["as-text"], plugins=[path]).baseline == "as-text"


def test_a_regularizer_of_a_script_is_kept_for_other_processes(tmp_path, monkeypatch):
    from search_spaces import SearchSpace, loguniform

    class OfAScript(Regularizer):
        name = "of-a-script"
        formula = "L + lambda |h|^2"
        reference = "@misc{none}"
        hyperparameters = (Hyperparameter("strength", 0.01, "factor", low=0.0, off=0.0),)
        strength = "strength"
        space = SearchSpace({"strength": loguniform(1e-4, 1e-2)})

        def penalty(self, inputs, outputs, targets, strengths, progress, noise):
            return strengths["strength"] * outputs.square().mean()

    OfAScript.__module__ = "__main__"
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))
    register(OfAScript)
    declared = study(regularizers=["of-a-script"])
    controller = in_process.opened(declared, tmp_path)
    order = controller.order(controller.next_run())
    assert order.objects == str(tmp_path / "objects")
    assert [name.partition("@")[0] for name in order.regularizers] == ["python:of-a-script.regularizer"]
    registry._REGISTERED.pop("of-a-script")
    forget(monkeypatch)
    assert Study.from_toml(tmp_path / "study.toml").hash == declared.hash


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "resnet-20"}, r"model: resnet-20 takes images \[C, H, W\], but got examples of the shape \[6\]"),
        ({"model": nn.Linear(6, 3)}, "model: must be a function or a class that makes a new network for each run"),
        ({"training": {"augment": "crop-flip"}}, r"training.augment: crop-flip moves images \[C, H, W\]"),
        ({"robustness": {"corruptions": ["all"]}}, r"robustness.corruptions: are of images \[C, H, W\]"),
        ({"dataset": (TABLE.astype(int), LABELS), "robustness": {"fgsm": [0.1]}}, "robustness.fgsm: needs .* floats"),
        (
            {"dataset": (TABLE.astype(int), LABELS), "regularizers": ["db"]},
            "regularizers.db: acts on the examples, which must be floats",
        ),
        ({"dataset": (TABLE, LABELS[:5])}, "dataset: arrays: train_labels must have one label an image"),
        ({"dataset": 3}, "dataset: must be"),
    ],
)
def test_what_the_data_do_not_allow_is_refused_by_its_key(settings, message):
    with pytest.raises(StudyError, match=message) as caught:
        study(**settings)
    assert "\n" not in str(caught.value)
