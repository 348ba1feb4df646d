"""The examples that run under a stock Ray Tune. What each of them shows is compared with runs trained by hand."""

import json
import os
import runpy
import struct
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tune_reg.training import Run, SerialEngine, TrainingSettings

STOCK = (
    "asha",
    "hyperband",
    "mlflow_runs",
    "population_based_training",
    "several_seeds",
    "tensorboard_curves",
)

ray = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]


@pytest.fixture
def run(examples, tmp_path, monkeypatch, ray_cluster):
    """Run an example by its name; the result of its ``main``."""
    # A study that ran in this process turned off Tune's own logs.
    monkeypatch.delenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", raising=False)
    return lambda name: runpy.run_path(str(examples / f"{name}.py"))["main"](tmp_path)


def engine_of(regularizer, config):
    """An engine that trains by hand what a trial of this configuration trains."""
    settings = {key: value for key, value in config.items() if key in TrainingSettings.model_fields}
    rest = {key: value for key, value in config.items() if key not in settings and key not in ("dataset", "model")}
    run = Run(config["dataset"], config["model"], regularizer, rest, TrainingSettings(**settings))
    return SerialEngine(run)


def trained(engine, epochs):
    """The engine after so many epochs in all."""
    while engine.epoch < epochs:
        engine.train_epoch()
    return engine


@pytest.mark.parametrize("name", STOCK)
def test_the_docstring_says_the_command(examples, name):
    text = (examples / f"{name}.py").read_text()
    assert f"\npython examples/{name}.py\n" in text.split('"""')[1]
    assert 'if __name__ == "__main__":\n    main()\n' in text


def test_there_is_no_example_that_is_not_run(examples):
    others = {"gradient_noise", "optuna_tools", "own_loop", "lightning_loop", "hugging_face_loop"}
    assert {path.stem for path in examples.glob("*.py")} == {*STOCK, *others}


class TestUnderRay:
    pytestmark = ray

    @pytest.mark.slow
    def test_asha_stops_the_weaker_half(self, run):
        grid = run("asha")
        assert not grid.errors
        epochs = [result.metrics["epoch"] for result in grid]
        assert len(epochs) == 8
        assert set(epochs) <= {1, 2, 4, 8}
        assert max(epochs) == 8
        assert min(epochs) < 8
        best = grid.get_best_result(scope="last")
        by_hand = trained(engine_of("adadecay", best.config), best.metrics["epoch"])
        assert by_hand.history[-1]["val_loss"] == best.metrics["val_loss"]

    @pytest.mark.slow
    def test_hyperband_goes_on_from_its_checkpoints(self, run):
        grid = run("hyperband")
        assert not grid.errors
        assert len(grid) == 7
        paused = [result for result in grid if result.metrics["iterations_since_restore"] < result.metrics["epoch"]]
        assert paused, "nothing was paused and taken up again"
        for result in paused:
            by_hand = trained(engine_of("residual-smoothing", result.config), result.metrics["epoch"])
            assert by_hand.history[-1]["val_loss"] == result.metrics["val_loss"]

    @pytest.mark.slow
    def test_a_population_changes_its_strengths_mid_run_and_keeps_the_weights(self, run, tmp_path):
        grid, rows = run("population_based_training")
        assert not grid.errors
        trials = defaultdict(list)
        for row in rows:
            trials[row["trial"]].append(row)
        assert len(trials) == 4
        for epochs in trials.values():
            assert {row["epoch"] for row in epochs} == set(range(1, 9))
            for row in epochs:
                assert row["strength"] == row["config"]["weight_decay"]
                assert row["learning_rate"] == row["config"]["learning_rate"]
        # The first take-over: its parent had trained with one configuration alone, and can be trained by hand.
        log = tmp_path / "population-based-training" / "pbt_global.txt"
        child, _, _, _, old, new = json.loads(log.read_text().splitlines()[0])
        assert old["weight_decay"] != new["weight_decay"]
        (name,) = {row["trial"] for row in rows if row["trial"].endswith(f"{int(child.split('_')[0]):05}")}
        first = next(row for row in trials[name] if row["config"]["weight_decay"] == new["weight_decay"])
        parent, by_hand = engine_of("adadecay", old), engine_of("adadecay", new)
        by_hand.load_state(trained(parent, first["epoch"] - 1).state())
        assert first["epoch"] > 1
        assert by_hand.train_epoch()["val_loss"] == first["val_loss"] != parent.train_epoch()["val_loss"]

    @pytest.mark.slow
    def test_every_configuration_has_every_seed(self, run):
        scores = run("several_seeds")
        assert [len(values) for values in scores.values()] == [3] * 4
        assert all(len(set(values)) > 1 for values in scores.values()), "the seed changes nothing"

    @pytest.mark.slow
    def test_tensorboard_has_the_strength_of_each_epoch(self, run):
        grid = run("tensorboard_curves")
        assert not grid.errors
        for result in grid:
            (path,) = Path(result.path).glob("events.out.tfevents.*")
            curves = scalars(path)
            by_hand = trained(engine_of("weight-decay", result.config), 3).history
            for column in ("strength", "val_loss", "val_accuracy"):
                assert curves[f"ray/tune/{column}"] == pytest.approx([row[column] for row in by_hand], rel=1e-6)
            assert len(set(curves["ray/tune/strength"])) == 3

    def test_mlflow_has_each_epoch_of_each_trial(self, run, tmp_path):
        mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed; pip install mlflow-skinny")
        grid = run("mlflow_runs")
        assert not grid.errors
        client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("adadecay")
        runs = {float(r.data.params["weight_decay"]): r for r in client.search_runs([experiment.experiment_id])}
        assert set(runs) == {1e-4, 1e-2}
        for result in grid:
            logged = runs[result.config["weight_decay"]]
            history = client.get_metric_history(logged.info.run_id, "val_loss")
            by_hand = trained(engine_of("adadecay", result.config), 3).history
            assert [metric.value for metric in history] == pytest.approx([row["val_loss"] for row in by_hand])


def test_mlflow_that_is_absent_is_one_line(examples, tmp_path):
    """With a finder in front that knows no mlflow."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'mlflow' else find(name, *rest)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(examples.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, examples / "mlflow_runs.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 1
    assert done.stderr == "mlflow is not installed: pip install mlflow-skinny\n"


def scalars(path):
    """The curves of an event file: each record is a length, its checksum, the bytes and their checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, curves = path.read_bytes(), defaultdict(list)
    while data:
        (length,) = struct.unpack_from("<Q", data)
        event = Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                curves[value.tag].append(value.simple_value)
    return curves
