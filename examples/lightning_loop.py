"""Lightning trains, tune-reg searches: a LightningModule with two callbacks of a few lines.

pip install lightning
python examples/lightning_loop.py

The optimizer is the run's, so that learning rate, weight decay and what the regularizer does to gradients come from the
search; loss and penalty are called in ``training_step``. Lightning's own checkpoint lies in the run's folder.
"""

import logging
from pathlib import Path

import lightning
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from tune_reg import Study, TrainerRun

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it would tell of itself in every run


class Net(lightning.LightningModule):
    def __init__(self, run: TrainerRun):
        super().__init__()
        self.run = run
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, images):
        return self.net(images)

    def training_step(self, batch):
        images, labels = self.run.inputs(batch[0]), batch[1]
        outputs = self(images)
        loss = self.run.loss(outputs, labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss + self.run.penalty(self, images, labels, outputs=outputs)

    def validation_step(self, batch):
        self.log("val_accuracy", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def test_step(self, batch):
        self.log("test_accuracy", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return self.run.optimizer(self.parameters())


class Told(lightning.Callback):
    """Begins each epoch of the run, and reports it."""

    def __init__(self, run: TrainerRun, checkpoint: Path):
        self.run, self.checkpoint = run, checkpoint

    def on_train_epoch_start(self, trainer, module):
        self.run.begin_epoch(trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer, module):  # after the validation of the epoch
        trainer.save_checkpoint(self.checkpoint)
        self.run.report(trainer.current_epoch + 1, **trainer.callback_metrics)


def train(run: TrainerRun):
    data = run.training_set
    training, validation, test = (TensorDataset(*part) for part in (data.train(), data.validation(), data.test()))
    # Lightning tells it the epoch, so that a run that goes on has the order of the undisturbed one.
    order = DistributedSampler(training, num_replicas=1, rank=0, seed=run.seed)
    checkpoint = run.checkpoint_dir / "last.ckpt"
    module = Net(run)
    trainer = lightning.Trainer(
        max_epochs=run.epochs,
        accelerator=run.device.type,
        devices=1,
        callbacks=[Told(run, checkpoint)],
        default_root_dir=run.checkpoint_dir,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        module,
        DataLoader(training, run.batch_size, sampler=order),
        DataLoader(validation, len(validation)),
        ckpt_path=checkpoint if run.start_epoch else None,
        weights_only=True,
    )
    (metrics,) = trainer.test(module, DataLoader(test, len(test)), verbose=False)
    run.finish(metrics, model=module)


def study(**settings) -> Study:
    return Study(
        **{
            "name": "digits, by Lightning",
            "trainer": "lightning_loop:train",
            "dataset": "digits",
            "regularizers": ["weight-decay", "noise-injection"],
            "training": {"epochs": 5, "batch_size": 64},
            "search": {"trials": 6},
            "robustness": {"fgsm": [0.05], "images": 100},
            **settings,
        }
    )


def main(directory=Path("out/lightning-loop")):
    return study().run(directory)


if __name__ == "__main__":
    print(f"the results lie in {main().directory}; `tune-reg report DIRECTORY` writes the report")
