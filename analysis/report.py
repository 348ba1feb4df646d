"""The report: one HTML file that opens offline, and the same as Markdown, LaTeX, BibTeX, CSV and figures."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from analysis import described, text
from analysis.answer import Answer, answer
from analysis.budget import BudgetRow, budget
from analysis.citations import Citation, citations
from analysis.claims import Claim, claims
from analysis.csv_table import results_csv
from analysis.exports import bibtex, folder, latex, markdown
from analysis.exports.drawn import Drawn, draw_all
from analysis.exports.numbers import numbers_csv
from analysis.exports.page import page, view
from analysis.exports.printed import Printed
from analysis.missing import missing
from analysis.results import result_table
from analysis.sheets import SHEETS
from analysis.table_sheets import TABLE_SHEETS
from analysis.tables import Snapshot
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.store import load

STATISTICS: Final = (
    "Intervals are 95 %, over seeds: BCa bootstrap (scipy, 9,999 resamples, fixed seed) from 5 runs on, Student’s t "
    "for 2 to 4, none for one run. Differences are paired by seed and tested by flipping their signs in all ways "
    "(9,999 random ones above 13 pairs), two-sided, Holm-corrected over all comparisons in this report. A run that "
    "diverged is counted and has no accuracy. A difference may be claimed where its corrected p is at most 0.05 and "
    "its interval leaves out zero."
)
_SPENT: Final = (
    "Trials of the search by state, and confirmed runs. Seconds are summed over runs, which may have run side by side; "
    "device time is that sum times the cores, or the share of a GPU, that each run had."
)
_BUDGET_HEADINGS: Final = (
    *("Regularizer", "Trials", "Complete", "Pruned", "Diverged", "Failed", "Search epochs", "Search time"),
    *("Confirmed runs", "Confirm epochs", "Confirm time", "Device time", "Device"),
)
_KINDS: Final = (
    ("measured", "Measured"),
    ("may", "May be claimed"),
    ("may not", "May not be claimed"),
    ("caution", "Keep in mind"),
)
NOTHING: Final = "Nothing: no difference to the baseline passed both its interval and the corrected test."


class Content(NamedTuple):
    """Everything that a report says, in whatever form."""

    name: str
    subtitle: str
    picked_on_test: bool
    missing: tuple[str, ...]
    answer: Answer | None
    claims: tuple[Claim, ...]
    results: Printed | None
    figures: tuple[Drawn, ...]
    tables: tuple[Printed, ...]
    question: tuple[tuple[str, str], ...]
    budget: Printed
    methods: tuple[described.Method, ...]
    citations: tuple[Citation, ...]
    bibtex: str
    commands: str
    provenance: tuple[tuple[str, str], ...]


def report(directory: str | StoragePath) -> StoragePath:
    """Write ``directory/report/index.html`` and return its path.

    Beside it lie ``report.md``, ``references.bib``, every table as ``tables/NAME.csv`` and ``.tex``, and every
    figure as ``figures/NAME.csv``, ``.svg``, ``.pdf`` and ``.png``. The same tables give the same bytes, wherever
    the directory is and in whatever order rows were stored. An unfinished study is reported as far as it goes.
    Raises ``StoreError``, in one line, where there is no study, a file cannot be read, or the report cannot be
    written.

    >>> report("no-such-directory")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tune_reg.errors.StoreError: no-such-directory holds no study: study.toml is missing; run `tune-reg run ...
    """
    files = render(Snapshot(load(directory)))
    target = to_path(directory) / "report"
    folder.write(target, files, [*(sheet.name for sheet in SHEETS), *(sheet.name for sheet in TABLE_SHEETS)])
    return target / "index.html"


def render(data: Snapshot) -> dict[str, bytes]:
    """Every file of the report, by its path in ``report/``; the page comes last."""
    computed = ((sheet, sheet.compute(data)) for sheet in SHEETS)
    drawable = ((sheet, numbers) for sheet, numbers in computed if numbers.panels)
    figures, files = draw_all(drawable)
    content = _content(data, figures)
    for printed in _printed(content):
        files |= {f"tables/{printed.name}.csv": printed.csv, f"tables/{printed.name}.tex": latex.table(printed)}
    files["references.bib"] = content.bibtex.encode()
    files["report.md"] = _markdown(content).encode()
    files["index.html"] = _page(content)
    return files


def _content(data: Snapshot, figures: tuple[Drawn, ...]) -> Content:
    cited = citations(data)
    study = data.study
    return Content(
        name=str(study.get("name", "unnamed")),
        subtitle=f"Which regularizer for {study.get('model', 'this model')} on "
        f"{study.get('dataset', 'this data set')}, how strong, and whether to believe it.",
        picked_on_test=data.picked_on_test,
        missing=missing(data),
        answer=answer(data),
        claims=claims(data),
        results=_results(data),
        figures=figures,
        tables=_tables(data),
        question=described.question(data),
        budget=_budget(budget(data)),
        methods=described.methods(data),
        citations=cited,
        bibtex="".join(f"{entry}\n\n" for entry in bibtex.entries(citation.bibtex for citation in cited)),
        commands=described.commands(data),
        provenance=described.provenance(data),
    )


def _printed(content: Content) -> list[Printed]:
    shown = [content.results, *content.tables, content.budget]
    return [printed for printed in shown if printed is not None and printed.rows]


def _results(data: Snapshot) -> Printed | None:
    rows = result_table(data)
    if not rows:
        return None
    caption = (
        "Means over confirmed runs on fresh seeds, with 95 % intervals in brackets. Differences are to "
        f"{data.baseline}, paired by seed; p is the exact sign-flip test’s, Holm-corrected over all rows. Diverged and "
        "failed runs are counted in the notes and stand in no mean. The papers’ measures are of "
        f"{'test' if data.picked_on_test else 'validation'} accuracy, and optimistic: the maximum picks the best "
        "epoch afterwards."
    )
    shown = [text.text_row(row) for row in rows]
    # A column in which nothing stands (no notes, say) only takes room.
    columns = [column for column in text.HEADINGS if any(getattr(row, column) for row in shown)]
    cells = tuple(tuple(getattr(row, column) for column in columns) for row in shown)
    headings = tuple(text.HEADINGS[column] for column in columns)
    return Printed("results", "Results", caption, headings, cells, results_csv(rows))


def _tables(data: Snapshot) -> tuple[Printed, ...]:
    made = [(sheet, sheet.compute(data)) for sheet in TABLE_SHEETS]
    return tuple(
        Printed(sheet.name, sheet.title, sheet.caption, table.headings, table.rows, numbers_csv(table.numbers))
        for sheet, table in made
        if table.rows
    )


def _budget(rows: tuple[BudgetRow, ...]) -> Printed:
    cells = tuple(tuple(_spent(value) for value in row) for row in rows)
    return Printed("budget", "Budget spent", _SPENT, _BUDGET_HEADINGS, cells, numbers_csv(rows))


def _spent(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else text.seconds(value)


def _page(content: Content) -> bytes:
    values: dict[str, Any] = content._asdict()
    tables = tuple(view(printed) for printed in content.tables)
    sections = [
        ("answer", "Answer"),
        ("results", "Results"),
        ("figures", "Figures"),
        *([("tables", "Tables")] if tables else []),
        ("asked", "What was asked"),
        ("budget", "Budget"),
        ("methods", "Methods and citations"),
        ("provenance", "Provenance"),
    ]
    found = content.answer
    values |= {
        "kind": "report",
        "sections": sections,
        "answer_data": text.data_words(found.rows[0]) if found else "",
        "more_data": bool(found and content.results and len(content.results.rows) > len(found.rows)),
        "kinds": _KINDS,
        "nothing": NOTHING,
        "results": view(content.results) if content.results else None,
        "tables": tables,
        "budget": view(content.budget),
        "cited": [(citation.method, bibtex.keys(citation.bibtex)) for citation in content.citations],
        "statistics": STATISTICS,
    }
    return page("report.html.j2", **values)


def _markdown(content: Content) -> str:
    escape = markdown.escape
    lines = [f"# {escape(content.name)}", escape(content.subtitle)]
    if content.picked_on_test:
        lines.append("**Protocol “paper”: strengths were picked on the test set; every test accuracy is optimistic.**")
    if content.missing:
        lines += ["**Not everything that was asked for is here.** Missing:", markdown.bullets(content.missing)]
    lines.append("## Answer")
    if content.answer is None:
        lines.append("No confirmed run ended yet, so there is no answer yet.")
    else:
        found = content.answer
        lines += [
            f"**Which regularizer?** {escape(found.which)}",
            f"**How strong?** {escape(found.how_strong)}",
            f"**Can I believe it?** {escape(found.believe)}",
        ]
    for kind, label in _KINDS if content.claims else ():
        mine = [claim.sentence for claim in content.claims if claim.kind == kind]
        if mine or kind == "may":
            lines += [f"### {label}", markdown.bullets(mine) if mine else NOTHING]
    for printed in _printed(content):
        lines += [f"## {escape(printed.title)}", escape(printed.caption), markdown.table(printed)]
    for figure in content.figures:
        picture = f"![{escape(figure.title)}](figures/{figure.name}.png)"
        lines += [f"## {escape(figure.title)}", picture, escape(figure.caption)]
    lines += ["## What was asked", markdown.bullets(f"{name}: {value}" for name, value in content.question)]
    lines.append("## Methods")
    for method in content.methods:
        lines += [f"### {escape(method.name)}", *([markdown.fenced(method.formula)] if method.formula else [])]
    lines += ["### Statistics", escape(STATISTICS)]
    if content.bibtex:
        lines += ["## Citations", markdown.fenced(content.bibtex)]
    lines += ["## Provenance", markdown.fenced(content.commands)]
    lines += [markdown.bullets(f"{name}: {value}" for name, value in content.provenance)]
    return markdown.document(lines)
