"""Hugging Face's Trainer trains, tune-reg searches: a tiny BERT, from scratch, tells documentation from code.

pip install transformers accelerate
python examples/hugging_face_loop.py

The texts are lines of a module of Python's standard library, byte by byte. The Trainer
gets the run's optimizer and loss, and a callback that reports each epoch once its checkpoint lies in the run's folder.
"""

import argparse
import ast
from pathlib import Path

import torch
import transformers

from tune_reg import Study, TrainerRun

LENGTH = 32  # bytes of a text
TRAINING_EXAMPLES = 180
TEST_EXAMPLES = 60

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def texts():
    """Bytes int64 [N, LENGTH] and labels [N], 1 for code: the training examples first."""
    source = Path(argparse.__file__).read_text()
    nodes = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    prose = "\n".join(ast.get_docstring(node, clean=False) or "" for node in nodes)
    documentation = {line.strip() for line in prose.splitlines()}
    lines = sorted({line.strip() for line in source.splitlines()})
    code = [line for line in lines if not line.startswith("#") and line not in documentation]
    both = [
        [list(line[:LENGTH].encode()) for line in some if len(line) >= LENGTH and line.isascii()]
        for some in (sorted(documentation), code)
    ]
    size = min(map(len, both))
    order = torch.randperm(2 * size, generator=torch.Generator().manual_seed(0))
    inputs, labels = torch.tensor(both[0][:size] + both[1][:size])[order], torch.arange(2 * size)[order] // size
    return inputs[: TRAINING_EXAMPLES + TEST_EXAMPLES], labels[: TRAINING_EXAMPLES + TEST_EXAMPLES]


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
        num_labels=2,
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
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=True if run.start_epoch else None)
    told = trainer.predict(items(inputs[TRAINING_EXAMPLES:], labels[TRAINING_EXAMPLES:]))
    run.finish({"accuracy": told.metrics["test_accuracy"], "n_test": TEST_EXAMPLES})


def study(**settings) -> Study:
    return Study(
        **{
            "name": "documentation or code, by Hugging Face",
            "trainer": "hugging_face_loop:train",
            "examples": TRAINING_EXAMPLES,
            "regularizers": ["weight-decay", "dropout", "label-smoothing"],
            "training": {"epochs": 6, "batch_size": 15, "optimizer": "adam", "learning_rate": 0.003},
            "search": {"trials": 6},
            **settings,
        }
    )


def main(directory=Path("out/hugging-face-loop")):
    return study().run(directory)


if __name__ == "__main__":
    print(f"the results lie in {main().directory}; `tune-reg report DIRECTORY` writes the report")
