"""HTML pages that load nothing: style, script and figures stand inside, and the page forbids all else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from analysis.exports.csv_file import formulas_sentence
from analysis.exports.rendered_table import RenderedTable, numeric_columns, sort_number, split_interval

_TEMPLATES: Final = Path(__file__).parent / "templates"


class Cell(NamedTuple):
    """One cell of a table of the HTML page."""

    value: str
    below: str  # what stands in brackets after the value, set below it
    number: bool
    bold: bool
    sort: float | None  # the number that it is sorted by; words are sorted as words, after the numbers


class Row(NamedTuple):
    """One row of a table of the HTML page."""

    first: bool  # of a group of rows with the same first cell
    cells: tuple[Cell, ...]


class TableView(NamedTuple):
    """A table of the HTML page: its words, which columns are numbers, and its rows."""

    rendered: RenderedTable
    formulas: str  # a warning of words in its CSV that are no formulas; else empty
    numbers: tuple[bool, ...]
    key: int  # the column that names the row
    rows: tuple[Row, ...]


def table_view(rendered: RenderedTable) -> TableView:
    """A table with everything that the page needs to know of its cells."""
    numbers = numeric_columns(rendered.rows)
    key = rendered.headings.index("Regularizer") if "Regularizer" in rendered.headings else 0
    return TableView(rendered, formulas_sentence(rendered.csv), numbers, key, tuple(_rows(rendered, numbers, key)))


def _rows(rendered: RenderedTable, numbers: tuple[bool, ...], key: int) -> Iterator[Row]:
    before = None
    for index, row in enumerate(rendered.rows):
        cells = tuple(
            # A name in brackets stays one with what it names.
            Cell(
                *(split_interval(cell) if number else (cell, "")),
                number,
                (index, column) in rendered.bold,
                sort_number(cell),
            )
            for column, (cell, number) in enumerate(zip(row, numbers, strict=True))
        )
        yield Row(key > 0 and before is not None and row[0] != before, cells)
        before = row[0]


def page(template: str, **values: Any) -> bytes:
    """The HTML page made from a template; every value is escaped where it is not ``Markup``.

    The page's Content-Security-Policy forbids to load anything and to run any other script, so that a name that
    was not escaped would still do nothing.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    script = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = environment.get_template(template).render(
        **values,
        style=Markup((_TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )
    return text.encode()
