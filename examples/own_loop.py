"""A training loop of one's own, in plain PyTorch on tabular data: which regularizer, and how strong?

python examples/own_loop.py

The breast cancer table of scikit-learn is split, scaled and trained on here; tune-reg is only told how many training
examples there are. Every run keeps its state, so that it goes on where the search has paused it or a process was
killed. docs/own-loop.md tells what each piece does.
"""

from pathlib import Path

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

from tune_reg import Study, TrainerRun

TRAINING_EXAMPLES = 400  # of 569; the others are the test set


def table():
    """Inputs float32 [N, 30] and labels int64 [N]; in an order drawn once, and scaled by the training examples."""
    inputs, labels = load_breast_cancer(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    inputs, labels = torch.tensor(inputs, dtype=torch.float32)[order], torch.tensor(labels)[order]
    mean, std = inputs[:TRAINING_EXAMPLES].mean(0), inputs[:TRAINING_EXAMPLES].std(0)
    return (inputs - mean) / std, labels


def accuracy(model, inputs, labels):
    model.eval()
    with torch.no_grad():
        return (model(inputs).argmax(1) == labels).double().mean().item()


def train(run: TrainerRun):
    inputs, labels = (part.to(run.device) for part in table())
    known = labels[:TRAINING_EXAMPLES]
    training, validation = run.training_set.indices(known), run.training_set.validation_indices(known)

    model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 2)).to(run.device)
    optimizer = run.optimizer(model.parameters())
    state = run.checkpoint_dir / "state.pt"
    if run.start_epoch:
        saved = torch.load(state)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])

    for epoch in run.remaining_epochs():
        model.train()
        total = 0.0
        for batch in training[torch.randperm(len(training))].split(run.batch_size):
            x, y = run.inputs(inputs[batch]), labels[batch]
            outputs = model(x)
            loss = run.loss(outputs, y)
            optimizer.zero_grad()
            (loss + run.penalty(model, x, y, outputs=outputs)).backward()
            optimizer.step()
            total += loss.item() * len(batch)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, state)
        run.report(
            epoch,
            accuracy=accuracy(model, inputs[validation], labels[validation]),
            train_loss=total / len(training),
        )

    test = slice(TRAINING_EXAMPLES, None)
    run.finish({"accuracy": accuracy(model, inputs[test], labels[test]), "n_test": len(labels[test])})


def study(**settings) -> Study:
    return Study(
        **{
            "name": "breast cancer, by a loop of one's own",
            "trainer": "own_loop:train",
            "examples": TRAINING_EXAMPLES,
            "regularizers": ["weight-decay", "label-smoothing", "noise-injection"],
            "fractions": [0.25, 1.0],
            "training": {"epochs": 6, "batch_size": 32, "learning_rate": 0.02},
            "search": {"trials": 8},
            **settings,
        }
    )


def main(directory=Path("out/own-loop")):
    return study().run(directory)


if __name__ == "__main__":
    print(f"the results lie in {main().directory}; `tune-reg report DIRECTORY` writes the report")
