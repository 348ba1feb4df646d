"""Training loops of a user, for studies of few examples: a made-up accuracy, and what goes wrong in such loops."""

import json
import os
import time
from pathlib import Path

import torch

#: Where a test sets a folder, each epoch that is trained leaves a line in its file log.txt.
LOG = "OWN_LOOPS_LOG"
EXAMPLES = 120


def logged(folder):
    """Which epochs were trained, as (seed, start epoch, epoch)."""
    log = folder / "log.txt"
    return [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


def _log(run, epoch):
    if LOG in os.environ:
        with Path(os.environ[LOG], "log.txt").open("a") as file:
            file.write(json.dumps([run.seed, run.start_epoch, epoch]) + "\n")


def _accuracy(run, weight, epoch):
    """Best at a strength of 1e-3, better with each epoch, and different with each seed."""
    params = run.params
    strength = float(params.get("weight_decay", params.get("strength")))
    apart = abs(torch.log10(torch.tensor(max(strength, 1e-12))).item() + 3)
    return round((0.9 - 0.02 * min(apart, 10)) * (1 - 0.5 ** (epoch + 1)) + 0.01 * float(weight), 6)


def saves(run):
    """Keeps its state: one weight, which draws from the global generator."""
    state = run.checkpoint_dir / "sub" / "state.pt"
    weight = torch.rand(()) if not run.start_epoch else torch.load(state)
    for epoch in run.remaining_epochs():
        _log(run, epoch)
        weight = 0.5 * weight + 0.5 * torch.rand(())
        state.parent.mkdir(exist_ok=True)
        torch.save(weight, state)
        run.report(epoch, accuracy=_accuracy(run, weight, epoch), train_loss=1 / epoch)
    run.finish({"accuracy": _accuracy(run, weight, run.epochs), "n_test": 100})


def gains(run):
    """Reports what is better the larger it is, and no accuracy."""
    _in_metric(run, "gain", lambda accuracy: 4 * accuracy)


def errors(run):
    """Reports what is better the smaller it is, and no accuracy: the negative of ``gains``."""
    _in_metric(run, "error", lambda accuracy: -4 * accuracy)


def _in_metric(run, name, value):
    weight = torch.rand(())
    for epoch in run.remaining_epochs():
        weight = 0.5 * weight + 0.5 * torch.rand(())
        run.report(epoch, **{name: value(_accuracy(run, weight, epoch))})
    run.finish({name: value(_accuracy(run, weight, run.epochs))})


def no_error(run):
    """Its metric is not a number in the last epoch."""
    for epoch in run.remaining_epochs():
        run.report(epoch, error=float("nan") if epoch == run.epochs else 0.5)
    run.finish({"error": 0.5})


def forgets(run):
    """Saves nothing."""
    weight = torch.rand(())
    for epoch in run.remaining_epochs():
        _log(run, epoch)
        weight = 0.5 * weight + 0.5 * torch.rand(())
        run.report(epoch, accuracy=_accuracy(run, weight, epoch))
    run.finish({"accuracy": _accuracy(run, weight, run.epochs)})


def catches(run):
    """Goes on after any Exception, as some frameworks do."""
    for epoch in run.remaining_epochs():
        try:
            run.report(epoch, accuracy=0.5)
        except Exception:
            continue
    run.finish({"accuracy": 0.5})


def diverges(run):
    run.report(1, accuracy=0.5)
    run.report(2, accuracy=0.5, train_loss=float("nan"))
    raise AssertionError("the run is over")


def diverges_at_the_test(run):
    for epoch in run.remaining_epochs():
        run.report(epoch, accuracy=0.5)
    run.finish({"accuracy": float("nan")})


def no_finish(run):
    for epoch in run.remaining_epochs():
        run.report(epoch, accuracy=0.5)


def no_report(run):
    del run


def twice(run):
    try:
        run.report(1, accuracy=0.5)
        run.report(1, accuracy=0.5)
    except Exception:
        return


def raises(run):
    run.report(1, accuracy=0.5)
    raise KeyError("mine")


def ends_the_program(run):
    raise SystemExit("enough")


def after_finish(run):
    forgets(run)
    run.report(run.epochs, accuracy=0.5)


def steps_for_ever(run):
    """Its second epoch has no end."""
    run.report(1, accuracy=0.5)
    while True:
        run.step()
        time.sleep(0.01)


def stays(run):
    """Swallows what ends it, once."""
    for epoch in run.remaining_epochs():
        try:
            run.report(epoch, accuracy=0.5)
        except BaseException:
            return


def net(run):
    """On images of the study's data set, with a model for the tests of robustness."""
    images, labels = run.training_set.train()
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(images[0].numel(), 10))
    optimizer = run.optimizer(model.parameters())
    for epoch in run.remaining_epochs():
        for batch in torch.randperm(len(labels)).split(run.batch_size):
            optimizer.zero_grad()
            run.loss(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        run.report(epoch, accuracy=share_right(model, *run.training_set.validation()))
    run.finish({"accuracy": share_right(model, *run.training_set.test())}, model=model)


def net_without_loss(run):
    """Leaves the regularizer's loss out."""
    images, labels = run.training_set.train()
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(images[0].numel(), 10))
    optimizer = run.optimizer(model.parameters())
    torch.nn.functional.cross_entropy(model(images[:8]), labels[:8]).backward()
    optimizer.step()
    run.report(1, accuracy=0.5)


def share_right(model, images, labels):
    with torch.no_grad():
        return (model(images).argmax(1) == labels).double().mean()


def gets_a_signal(run):
    """Its process gets a signal in a second epoch, once: the number stands in a file of the working folder."""
    state = run.checkpoint_dir / "state.pt"
    weight = torch.rand(()) if not run.start_epoch else torch.load(state)
    for epoch in run.remaining_epochs():
        pending = Path("signal")
        if epoch == 2 and pending.exists():
            number = int(pending.read_text())
            pending.unlink()
            os.kill(os.getpid(), number)
            while True:  # until its run has left, or its process is gone
                run.step()
                time.sleep(0.01)
        weight = 0.5 * weight + 0.5 * torch.rand(())
        torch.save(weight, state)
        run.report(epoch, accuracy=_accuracy(run, weight, epoch))
    run.finish({"accuracy": _accuracy(run, weight, run.epochs)})


def no_metric(run):
    run.report(1, acc=0.5)


def bad_size(run):
    run.training_set.indices(7)


def bad_attribute(run):
    return run.learning_rates
