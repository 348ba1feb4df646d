"""Hugging Face's Trainer trains, tune-reg searches: a tiny BERT, from scratch, tells whose documentation a text is of.

pip install transformers accelerate
python examples/hugging_face_loop.py

The texts are the first lines of the documentation of functions of numpy, scipy and torch, byte by byte. The Trainer
gets the run's optimizer and loss, and a callback that reports each epoch once its checkpoint lies in the run's folder.
"""

from pathlib import Path

import numpy
import scipy.special
import torch
import transformers

from tune_reg import Study, TrainerRun

LENGTH = 48  # bytes of a text
OF_EACH, TEST_OF_EACH = 100, 30
TRAINING_EXAMPLES = 3 * OF_EACH

transformers.logging.set_verbosity_error()


def texts():
    """Bytes int64 [N, LENGTH], 0 where a text ends, and labels [N]: training examples first."""
    rows = []
    for label, module in enumerate((numpy, scipy.special, torch)):
        documented = (str(getattr(module, name).__doc__ or "") for name in sorted(dir(module)) if name[0].islower())
        lines = [" ".join(text.split())[-LENGTH:] for text in documented]
        long = [line for line in dict.fromkeys(lines) if len(line.encode()) == LENGTH][: OF_EACH + TEST_OF_EACH]
        rows += [(number >= OF_EACH, list(line.encode()), label) for number, line in enumerate(long)]
    rows.sort(key=lambda row: row[0])
    return torch.tensor([row[1] for row in rows]), torch.tensor([row[2] for row in rows])


def items(inputs, labels):
    return [{"input_ids": row, "labels": label} for row, label in zip(inputs, labels, strict=True)]


def accuracy(predictions):
    return {"accuracy": float((predictions.predictions.argmax(1) == predictions.label_ids).mean())}


class Trainer(transformers.Trainer):
    """With the optimizer and the loss of a run."""

    def __init__(self, run: TrainerRun, **settings):
        super().__init__(**settings)
        self.run = run

    def create_optimizer(self, model=None):
        self.optimizer = self.run.optimizer(self.model.parameters())
        return self.optimizer

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(input_ids=inputs["input_ids"])
        loss = self.run.loss(outputs.logits, inputs["labels"])
        return (loss, outputs) if return_outputs else loss


class Told(transformers.TrainerCallback):
    """Begins each epoch of the run, and reports it once its checkpoint is there."""

    def __init__(self, run: TrainerRun):
        self.run = run

    def on_epoch_begin(self, args, state, control, **others):
        self.run.begin_epoch(round(state.epoch) + 1)

    def on_evaluate(self, args, state, control, metrics, **others):
        self.metrics = metrics

    def on_save(self, args, state, control, **others):
        self.run.report(round(state.epoch), accuracy=self.metrics["eval_accuracy"], val_loss=self.metrics["eval_loss"])


def train(run: TrainerRun):
    inputs, labels = texts()
    known = labels[:TRAINING_EXAMPLES]
    training, validation = run.training_set.indices(known), run.training_set.validation_indices(known)
    config = transformers.BertConfig(
        vocab_size=256,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LENGTH,
        hidden_dropout_prob=run.dropout,
        attention_probs_dropout_prob=run.dropout,
        num_labels=3,
    )
    trainer = Trainer(
        run,
        model=transformers.BertForSequenceClassification(config),
        args=transformers.TrainingArguments(
            output_dir=str(run.checkpoint_dir),
            num_train_epochs=run.epochs,
            per_device_train_batch_size=run.batch_size,
            per_device_eval_batch_size=256,
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=run.seed,
            use_cpu=run.device.type == "cpu",
        ),
        train_dataset=items(inputs[training], labels[training]),
        eval_dataset=items(inputs[validation], labels[validation]),
        compute_metrics=accuracy,
        callbacks=[Told(run)],
    )
    trainer.train(resume_from_checkpoint=True if run.start_epoch else None)
    told = trainer.predict(items(inputs[TRAINING_EXAMPLES:], labels[TRAINING_EXAMPLES:]))
    run.finish({"accuracy": told.metrics["test_accuracy"], "n_test": len(labels) - TRAINING_EXAMPLES})


def study(**settings) -> Study:
    return Study(
        **{
            "name": "whose documentation, by Hugging Face",
            "trainer": "hugging_face_loop:train",
            "examples": TRAINING_EXAMPLES,
            "regularizers": ["weight-decay", "dropout", "label-smoothing"],
            "training": {"epochs": 6, "batch_size": 25, "optimizer": "adam", "learning_rate": 0.003},
            "search": {"trials": 6},
            **settings,
        }
    )


def main(directory=Path("out/hugging-face-loop")):
    return study().run(directory)


if __name__ == "__main__":
    print(f"the results lie in {main().directory}; `tune-reg report DIRECTORY` writes the report")
