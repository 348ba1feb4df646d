"""The results of a study as Python users have them: tables, the answer, the report, and the networks."""

from __future__ import annotations

import html
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_reg.errors import StoreError
from tune_reg.storage.paths import StoragePath
from tune_reg.store import Results as StoredResults
from tune_reg.store import load as load_stored

if TYPE_CHECKING:
    from torch import nn

    from analysis import Verdict
    from tune_reg.store import FinalRow
    from tune_reg.study import Study
    from tune_reg.training import Run


class Results(StoredResults):
    """The results of one study, read from its directory.

    Each table is a ``pyarrow.Table``: ``trials()``, ``epochs()``, ``final()`` and more. ``best``, ``settings`` and
    ``model`` give what was found, ``report`` and ``show`` the page about it. A notebook shows the answer and the result
    table.
    """

    def best(self, regularizer: str | None = None, *, fraction: float | None = None) -> dict[str, Any]:
        """The winning hyperparameters of ``regularizer``, of the highest expected or else seen validation accuracy.

        Without a name: those of the regularizer that the report names as the answer, with its name as
        ``"regularizer"``. ``fraction``: the training fraction searched; the largest one searched if None. Raises
        ``StoreError`` where no trial ended with a value, or no confirmed run ended.
        """
        if regularizer is None:
            name = self._answer().regularizer
            return {"regularizer": name, **super().best(name, fraction=fraction)}
        return super().best(regularizer, fraction=fraction)

    def settings(self, regularizer: str | None = None) -> dict[str, Any]:
        """All settings of the winner of a regularizer: its hyperparameters, optimizer, schedules, loss and the rest.

        Without a name: of the regularizer that the report names as the answer. ``"params"`` holds the
        hyperparameters with the defaults of those that were not searched, a schedule as a table; the other keys are
        those of ``[training]``, as the winner was trained.
        """
        from tune_reg.schedules import Schedule

        name = regularizer or self._answer().regularizer
        study = self._declared()
        run = self._run(study, name, super().best(name))
        choices, numbers = run.split_hyperparameters()
        plain = {key: value.to_plain() if isinstance(value, Schedule) else value for key, value in numbers.items()}
        return {
            "regularizer": run.regularizer,
            "params": {**choices, **plain},
            "model": study.model,
            "dataset": study.dataset,
            **run.settings.model_dump(),
        }

    def model(
        self, regularizer: str | None = None, seed: int | None = None, *, fraction: float | None = None
    ) -> nn.Module:
        """A confirmed network of a regularizer, with its weights, in evaluation mode on the CPU.

        Without a name: of the regularizer that the report names as the answer. ``seed``: one of its confirmed runs; the
        first where None. ``fraction``: the training set, by its share of the training images; the largest where None.
        The network takes what it was trained on: images [B, C, H, W] in [0, 1], normalised inside, or other examples
        [B, ...] as they were given; it returns logits [B, classes]. Raises ``StoreError`` where the run is not there
        or its network was not kept (``resources.keep_networks``).
        """
        from tune_reg.execution.study_run import checkpoint_directory, confirm_key
        from tune_reg.search.trial import Trial
        from tune_reg.study import make_plan
        from tune_reg.training import checkpoint as checkpoints
        from tune_reg.training.unfilled_network import unfilled_network

        row = self._confirmed(regularizer or self._answer().regularizer, seed, fraction)
        study = self._declared()
        plan = make_plan(study)
        task = next(
            task
            for task in plan.tasks
            if (task.regularizer, task.training_set.fraction) == (row["regularizer"], row["search_fraction"])
        )
        training_set = next(one for one in plan.training_sets if one.fraction == row["fraction"])
        key = confirm_key(Trial(task, row["trial"], dict(row["params"])), training_set, row["seed"])
        folder = checkpoint_directory(self.directory, key)
        state = checkpoints.load_newest(folder, whole_epochs=True)
        if state is None or "model" not in state:
            raise StoreError(
                f"model({row['regularizer']!r}, {row['seed']}): its network is not in {folder}; "
                "resources.keep_networks says which are kept"
            )
        network = unfilled_network(study.model, study.dataset)
        network.load_state_dict(state["model"])
        return network.eval()

    def report(self, out: str | StoragePath | None = None) -> StoragePath:
        """Write the report into ``report`` in the results directory, or into ``out``; the path of its page."""
        import analysis

        return analysis.report(self.directory, out)

    def show(self) -> StoragePath:
        """Write the report, and open its page in the browser; the path of the page."""
        page = self.report()
        if isinstance(page, Path):
            webbrowser.open(page.absolute().as_uri())
        return page

    def _repr_html_(self) -> str:
        """The answer and the result table, for a notebook."""
        import analysis

        data = analysis.Snapshot(self)
        judged = analysis.verdict(data)
        sentences = [] if judged is None else [judged.which, judged.how_strong, judged.decided, judged.believe]
        columns = ("data", "regularizer", "test_accuracy", "difference", "p", "params", "notes")
        head = "".join(f"<th>{html.escape(analysis.HEADINGS[column])}</th>" for column in columns)
        rows = [
            "".join(f"<td>{html.escape(getattr(row, column))}</td>" for column in columns)
            for row in analysis.result_rows(data)
        ]
        paragraphs = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences or ["No confirmed run yet."])
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"{paragraphs}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _answer(self) -> Verdict:
        import analysis

        judged = analysis.verdict(self)
        if judged is None:
            raise StoreError(f"{self.directory}: no confirmed run has ended, so no regularizer is the answer; name one")
        return judged

    def _declared(self) -> Study:
        from tune_reg.study import Study

        study = Study.from_toml(str(self.directory / "study.toml"))
        if not study.model:
            raise StoreError(f"{self.directory}: its trainer made the networks; read what it has written itself")
        return study

    @staticmethod
    def _run(study: Study, regularizer: str, params: dict[str, Any]) -> Run:
        from tune_reg.training import Run

        if regularizer not in study.regularizers:
            raise StoreError(f"{regularizer!r} is none of the study's regularizers: {', '.join(study.regularizers)}")
        parts = study.regularizers[regularizer].regularizer
        return Run(study.dataset, study.model, parts, params, study.training)

    def _confirmed(self, regularizer: str, seed: int | None, fraction: float | None) -> FinalRow:
        """The row of a confirmed run."""
        from tune_reg.store.rows import from_arrow

        rows: list[FinalRow] = [
            row
            for row in from_arrow("final", self.final())
            if row["regularizer"] == regularizer and row["state"] == "complete"
        ]
        largest = max((row["fraction"] for row in rows), default=None)
        rows = [row for row in rows if row["fraction"] == (largest if fraction is None else fraction)]
        seeds = sorted(row["seed"] for row in rows)
        wanted = next((row for row in rows if row["seed"] == (seeds[0] if seed is None else seed)), None)
        if wanted is None:
            there = f"its seeds are {', '.join(map(str, seeds))}" if seeds else "it has none"
            raise StoreError(f"model({regularizer!r}, {seed}): no such confirmed run in {self.directory}; {there}")
        return wanted


def load(directory: str | StoragePath) -> Results:
    """Open the results of a study; ``StoreError`` where the directory holds none.

    ``directory``: a path or the URL of an object store, as ``tune-reg run --out`` takes it.

    >>> import tune_reg
    >>> best = tune_reg.load("out/digits").best("adadecay")  # doctest: +SKIP
    """
    return Results(load_stored(directory).directory)
