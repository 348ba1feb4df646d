"""The search as a careful user of Ray Tune writes it, after Ray Tune's PyTorch tutorial."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from _vs_plain_tune.sweep import BATCH, LEARNING_RATE, REDUCTION_FACTOR, WEIGHT_DECAY, Numbers, Options, split

#: Mean and standard deviation of Fashion-MNIST's pixels, for the tutorial's Normalize.
MEAN: Final = 0.286
STD: Final = 0.353


def plain(options: Options, *, asha: bool = False) -> Numbers:
    """Ray Tune's PyTorch tutorial with another net and data set."""
    import torch
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    folder, epochs, workers = options.work, options.epochs, options.workers
    train_index, val_index = (index.tolist() for index in split(folder))

    def train(config: dict[str, float]) -> None:
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
            "wall_s": end_times(results)[-1] - options.began,
            "epochs": sum(result.metrics["training_iteration"] for result in results if result.metrics),
            "trials": len(results),
            "val_accuracy": results.get_best_result(scope="last").metrics["val_accuracy"],
        }


def end_times(results: Any) -> list[float]:
    """When Tune's trials reported last, in whole seconds since 1970, in order. Its files are written anew later."""
    return sorted(float(result.metrics["timestamp"]) for result in results)
