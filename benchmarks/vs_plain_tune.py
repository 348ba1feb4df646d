"""This project beside Ray Tune as its own PyTorch tutorial uses it: the same sweep, the same nets, the same machine.

    .venv/bin/python benchmarks/vs_plain_tune.py                                    # about half an hour on 2 cores
    .venv/bin/python benchmarks/vs_plain_tune.py --trials 3 --epochs 1 --images 1000 --idle 10 --out /tmp/small.json

Searched are weight decay and learning rate of LeNet-4 on a subset of Fashion-MNIST, validated on 5,000 images.
Each arm is a fresh process:

- ``plain``: a careful user's own code: function trainable, DataLoader, torchvision transforms, OptunaSearch, one
  core and one thread a trial, a checkpoint each epoch. ``plain-asha``: with Tune's ASHAScheduler.
- ``ours``, ``ours-asha``: the same study by ``tune_reg``. Both train on the same images and are validated on the same.
- ``floor``: the bare loop over images in memory, channels_last, one process and thread a core, no search around it.
- ``idle-function``, ``idle-class``, ``idle-ours``: trials that do nothing, under stock Tune and OptunaSearch and
  under the machinery of ``tune_reg``.

Wall time runs from the start of the process to the last trial's last result (Tune rounds that down to a second), for
both sides. A study goes on to confirm its winner, which is not counted. Nothing here fails on a time; the ratios are
printed and stored.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

BATCH: Final = 128
VALIDATION: Final = 5_000
TRAINING: Final = 60_000
LEARNING_RATE: Final = (0.01, 0.3)
WEIGHT_DECAY: Final = (1e-6, 1e-1)
#: Of the images of Fashion-MNIST, for the tutorial's Normalize.
MEAN: Final = 0.286
STD: Final = 0.353
#: The tutorial's.
REDUCTION_FACTOR: Final = 2

Options = argparse.Namespace
Numbers = dict[str, Any]
#: Seconds of a fit, and when each of its trials ended.
Ends = tuple[float, list[float]]


def plain(options: Options, *, asha: bool = False) -> Numbers:
    """Ray Tune's PyTorch tutorial with another net and data set."""
    import torch
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    folder, epochs, workers = options.work, options.epochs, options.workers
    train_index, val_index = (index.tolist() for index in torch.load(folder / "index.pt"))

    def train(config: dict[str, float]) -> None:
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, Subset
        from torchvision import datasets, transforms

        from tune_reg import models

        torch.set_num_threads(1)
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
        images = datasets.FashionMNIST(folder, train=True, transform=transform)
        train_loader = DataLoader(Subset(images, train_index), batch_size=BATCH, shuffle=True, num_workers=workers)
        val_loader = DataLoader(Subset(images, val_index), batch_size=BATCH, num_workers=workers)
        # The net inside: the transform normalises already.
        model = models.build(
            "lenet-4", image=(1, 28, 28), classes=10, mean=torch.zeros(1), std=torch.ones(1), seed=0
        ).net
        criterion = nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(
            model.parameters(), lr=config["learning_rate"], momentum=0.9, weight_decay=config["weight_decay"]
        )
        for epoch in range(epochs):
            model.train()
            for inputs, labels in train_loader:
                optimizer.zero_grad()
                criterion(model(inputs), labels).backward()
                optimizer.step()
            model.eval()
            loss, correct = 0.0, 0
            with torch.no_grad():
                for inputs, labels in val_loader:
                    outputs = model(inputs)
                    loss += criterion(outputs, labels).item() * len(labels)
                    correct += (outputs.argmax(1) == labels).sum().item()
            metrics = {"val_loss": loss / len(val_index), "val_accuracy": correct / len(val_index)}
            with tempfile.TemporaryDirectory() as checkpoint:
                state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(state, Path(checkpoint) / "checkpoint.pt")
                tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(checkpoint))

    scheduler = ASHAScheduler(max_t=epochs, grace_period=1, reduction_factor=REDUCTION_FACTOR) if asha else None
    with tempfile.TemporaryDirectory() as storage:
        results = tune.Tuner(
            tune.with_resources(train, {"cpu": 1}),
            param_space={
                "learning_rate": tune.loguniform(*LEARNING_RATE),
                "weight_decay": tune.loguniform(*WEIGHT_DECAY),
            },
            tune_config=tune.TuneConfig(
                metric="val_accuracy",
                mode="max",
                search_alg=OptunaSearch(),
                scheduler=scheduler,
                num_samples=options.trials,
            ),
            run_config=tune.RunConfig(storage_path=storage),
        ).fit()
        return {
            "wall_s": _ended(results)[-1] - options.began,
            "epochs": sum(result.metrics["training_iteration"] for result in results if result.metrics),
            "trials": len(results),
            "val_accuracy": results.get_best_result(scope="last").metrics["val_accuracy"],
        }


def ours(options: Options, *, asha: bool = False) -> Numbers:
    """The same search as a study."""
    from tune_reg.backends.ray.launch import run_study

    with tempfile.TemporaryDirectory() as directory:
        results = run_study(_study(options, asha=asha), directory, data_root=options.data)
        searched = [row for row in results.epochs().to_pylist() if row["stage"] == "search"]
        trials = results.trials().to_pylist()
        provenance = results.provenance()
        return {
            "wall_s": _stored(directory)[-1] - options.began,
            "epochs": len(searched),
            "epoch_s": sum(row["wall_s"] for row in searched) / len(searched),
            "trials": len(trials),
            "val_accuracy": max(row["value"] for row in trials if row["state"] == "complete"),
            "machine": {key: provenance[key] for key in ("hardware", "versions", "code")},
        }


def floor(options: Options) -> Numbers:
    """As many epochs of a bare loop as the sweep has, a process a core."""
    import multiprocessing

    os.environ.update(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_=str(2**40))
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        seconds = pool.starmap(_bare_trial, [(options, seed) for seed in range(options.trials)], chunksize=1)
    return {"wall_s": sum(seconds) / min(cores, options.trials), "epochs": options.trials * options.epochs}


def _bare_trial(options: Options, seed: int) -> float:
    """Seconds of one trial's epochs, without process start and data."""
    import torch
    from torch.nn.functional import cross_entropy

    from tune_reg import data, models

    torch.set_num_threads(1)
    dataset = data.load("fashion-mnist", options.data)
    train_index, val_index = torch.load(options.work / "index.pt")
    images, labels = dataset.train_images.permute(0, 3, 1, 2), dataset.train_labels
    model = models.build("lenet-4", image=dataset.image, classes=10, mean=dataset.mean, std=dataset.std, seed=seed).to(
        memory_format=torch.channels_last
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, fused=True)
    begin = time.perf_counter()
    for _ in range(options.epochs):
        model.train()
        for chunk in train_index[torch.randperm(len(train_index))].split(BATCH):
            loss = cross_entropy(model(images[chunk].float().div_(255)), labels[chunk])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for chunk in val_index.split(1000):
                (model(images[chunk].float().div_(255)).argmax(1) == labels[chunk]).sum().item()
    return time.perf_counter() - begin


def idle_plain(options: Options, *, as_class: bool) -> Numbers:
    """Stock Tune, stock OptunaSearch, and trials that do nothing."""
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    def nothing(config: dict[str, float]) -> None:
        tune.report({"score": config["x"]})

    class Nothing(tune.Trainable):
        def setup(self, config: dict[str, float]) -> None:
            self.x = config["x"]

        def step(self) -> dict[str, Any]:
            return {"score": self.x, "done": True}

    def fit(trials: int) -> Ends:
        with tempfile.TemporaryDirectory() as storage:
            tuner = tune.Tuner(
                Nothing if as_class else nothing,
                param_space={"x": tune.loguniform(1e-6, 1e-1)},
                tune_config=tune.TuneConfig(metric="score", mode="max", search_alg=OptunaSearch(), num_samples=trials),
                run_config=tune.RunConfig(storage_path=storage),
            )
            begin = time.perf_counter()
            results = tuner.fit()
            return time.perf_counter() - begin, _ended(results)

    ray.init(include_dashboard=False)
    return _idle(options, fit)


def idle_ours(options: Options) -> Numbers:
    """Our brain, store, searcher, scheduler and reused actors, and trials that do nothing."""
    import idle

    from tune_reg.search import launch

    def fit(trials: int) -> Ends:
        study = idle.study(trials)
        seconds: list[float] = []

        @contextmanager
        def watch(_: object) -> Iterator[None]:
            begin = time.perf_counter()
            yield
            seconds.append(time.perf_counter() - begin)

        with tempfile.TemporaryDirectory() as directory:
            launch.run_study(study, directory, watch=watch)
            return seconds[0], _stored(directory)

    fit(1)  # sets the environment that Ray is to start in
    with launch.ray_running(None):
        return _idle(options, fit)


def _idle(options: Options, fit: Callable[[int], Ends]) -> Numbers:
    """Seconds a trial, start-up included, and of one trial more: the slope of the line through the trials' ends.

    The difference between two fits tells less: it is the luck of their actors' start-up, seconds for ours.
    """
    fit(2)  # what the first fit of a process loads
    trials = options.idle
    fit_s, ends = fit(trials)
    slope = statistics.linear_regression(range(len(ends)), ends).slope
    return {"trials": trials, "fit_s": fit_s, "fit_s / trials": fit_s / trials, "one_more_trial_s": slope}


def _study(options: Options, *, asha: bool) -> Any:
    from search_spaces import loguniform
    from tune_reg import Study

    return Study(
        name="vs_plain_tune",
        dataset="fashion-mnist",
        model="lenet-4",
        regularizers={"weight-decay": {"weight_decay": loguniform(*WEIGHT_DECAY)}},
        fractions=[options.images / (TRAINING - VALIDATION)],
        training={"epochs": options.epochs, "batch_size": BATCH, "validation": VALIDATION / TRAINING},
        search={
            "trials": options.trials,
            "learning_rate": loguniform(*LEARNING_RATE),
            "pruner": "asha" if asha else "none",
            "reduction_factor": REDUCTION_FACTOR,
        },
        confirm={"seeds": 1},
    )


def _ended(results: Any) -> list[float]:
    """When Tune's trials reported last, in whole seconds since 1970, in order. Its files are written anew later."""
    return sorted(float(result.metrics["timestamp"]) for result in results)


def _stored(directory: str) -> list[float]:
    """When our trials were stored, in seconds since 1970, in order."""
    return sorted(part.stat().st_mtime for part in Path(directory, "tables", "trials").iterdir())


ARMS: Final[dict[str, Callable[[Options], Numbers]]] = {
    "plain": plain,
    "ours": ours,
    "plain-asha": lambda options: plain(options, asha=True),
    "ours-asha": lambda options: ours(options, asha=True),
    "floor": floor,
    "idle-function": lambda options: idle_plain(options, as_class=False),
    "idle-class": lambda options: idle_plain(options, as_class=True),
    "idle-ours": idle_ours,
}


def main() -> None:
    options = _options()
    if options.arm:
        print(json.dumps(ARMS[options.arm](options)))
        return
    order = options.arms or list(ARMS)
    runs: dict[str, list[Numbers]] = {name: [] for name in order}
    with tempfile.TemporaryDirectory(prefix="vs-plain-tune-") as work:
        _prepare(Path(work), options)
        for repeat in range(options.repeats):
            # There and back, so that a machine that slows down slows both sides.
            for name in order if repeat % 2 == 0 else reversed(order):
                runs[name].append(_in_own_process(name, Path(work)))
                print(f"{name:14} {_short(runs[name][-1])}", flush=True)
    machine = next((run.pop("machine") for name in runs for run in runs[name] if "machine" in run), None)
    for run in (run for name in runs for run in runs[name]):
        run.pop("machine", None)
    ratios = _ratios(runs)
    print(*(f"{name:50} {value:.4g}" for name, value in ratios.items()), sep="\n")
    settings = {key: getattr(options, key) for key in ("trials", "epochs", "images", "workers", "idle", "repeats")}
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    stored = {"when": when, "settings": settings, "machine": machine, "ratios": ratios, "runs": runs}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    print(f"stored in {options.out}")


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=12_000, help="training images")
    parser.add_argument("--idle", type=int, default=40, help="trials that do nothing")
    parser.add_argument("--workers", type=int, default=0, help="of the plain side's DataLoader")
    parser.add_argument("--repeats", type=int, default=1, help="of all arms, interleaved; medians are compared")
    parser.add_argument("--arms", nargs="+", choices=ARMS, help="these alone")
    parser.add_argument("--data", type=Path, help="folder of the data sets; else TUNE_REG_DATA, the cache, Debian's")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "vs_plain_tune.json")
    # Of the processes that this one starts.
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def _prepare(work: Path, options: Options) -> None:
    """Put the images where torchvision wants them, and our split where the plain side can read it."""
    import torch

    from tune_reg import data
    from tune_reg.training import Run, SerialEngine

    study = _study(options, asha=False)
    dataset = data.load(study.dataset, options.data)
    folder = data.at_hand(study.dataset, options.data)
    raw = work / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in folder.glob("*-ubyte*"):
        content = path.read_bytes()
        (raw / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
    run = Run(study.dataset, study.model, "weight-decay", training=study.training, fraction=study.fractions[0])
    engine = SerialEngine(run, dataset=dataset)
    assert (len(engine.train_index), len(engine.val_index)) == (options.images, VALIDATION)
    torch.save((engine.train_index, engine.val_index), work / "index.pt")


def _in_own_process(arm: str, work: Path) -> Numbers:
    command = [sys.executable, __file__, *sys.argv[1:], "--arm", arm, "--work", str(work), "--began", str(time.time())]
    with (work / f"{arm}.log").open("w+", encoding="utf-8") as log:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
        if done.returncode:
            log.seek(0)
            raise SystemExit(f"{arm} failed:\n{log.read()[-4000:]}")
    numbers: Numbers = json.loads(done.stdout.splitlines()[-1])
    return numbers


def _ratios(runs: dict[str, list[Numbers]]) -> dict[str, float]:
    """Medians compared, of the arms that ran."""

    def median(arm: str, key: str) -> float:
        return statistics.median(run[key] for run in runs[arm])

    ratios = {}
    if runs.keys() >= {"plain", "ours"}:
        ratios["same epochs: wall, plain / ours"] = median("plain", "wall_s") / median("ours", "wall_s")
        ratios["same epochs: accuracy, ours - plain"] = median("ours", "val_accuracy") - median("plain", "val_accuracy")
    if runs.keys() >= {"plain-asha", "ours-asha"}:
        walls = [median(arm, "wall_s") for arm in ("plain-asha", "ours-asha")]
        epochs = [median(arm, "epochs") for arm in ("plain-asha", "ours-asha")]
        ratios["ASHA: wall, plain / ours"] = walls[0] / walls[1]
        ratios["ASHA: wall an epoch, plain / ours"] = walls[0] / epochs[0] / (walls[1] / epochs[1])
        ratios["ASHA: accuracy, ours - plain"] = median("ours-asha", "val_accuracy") - median(
            "plain-asha", "val_accuracy"
        )
    if runs.keys() >= {"floor", "ours"}:
        ratios["same epochs: wall, ours / bare loop"] = median("ours", "wall_s") / median("floor", "wall_s")
    for stock in ("idle-function", "idle-class"):
        if runs.keys() >= {stock, "idle-ours"}:
            for key in ("fit_s / trials", "one_more_trial_s"):
                ratios[f"a trial that does nothing: {key}, {stock} / ours"] = median(stock, key) / median(
                    "idle-ours", key
                )
    if "idle-ours" in runs:
        ratios["a trial that does nothing: seconds, ours"] = median("idle-ours", "one_more_trial_s")
    return ratios


def _short(numbers: Numbers) -> str:
    return "  ".join(f"{key} {value:.4g}" for key, value in numbers.items() if isinstance(value, int | float))


if __name__ == "__main__":
    main()
