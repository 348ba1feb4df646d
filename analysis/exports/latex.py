r"""Tables and figures as LaTeX, each a file for ``\input`` or ``\import``."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from analysis.exports.rendered_table import EMPTY, RenderedTable, numeric_columns, split_interval

_WORDS: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": "{`}",
    "'": "{'}",
    # At the start of a row a bracket or star would be an argument of the line break before it.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    '"': "''",
    "\u200b": "{}",
    "\u00df": r"{\ss}",
    "\u00e6": r"{\ae}",
    "\u00c6": r"{\AE}",
    "\u00f8": r"{\o}",
    "\u00d8": r"{\O}",
    "\u0142": r"{\l}",
    "\u0141": r"{\L}",
    "\u0153": r"{\oe}",
    "\u0152": r"{\OE}",
    "\u0131": r"{\i}",
    "\u2026": r"\ldots{}",
    "\u00b7": r"$\cdot$",
    "\u00b2": r"$^2$",
    "\u00b1": r"$\pm$",
    "\u00d7": r"$\times$",
    "\u2212": r"$-$",
    "\u2013": "--",
    "\u2014": "---",
    "\u2018": "`",
    "\u2019": "'",
    "\u201c": "``",
    "\u201d": "''",
    "\u2192": r"$\rightarrow$",
    "\u2264": r"$\le$",
    "\u2265": r"$\ge$",
    "\u221e": r"$\infty$",
    **{
        letter: rf"$\{name}$"
        for letter, name in {
            "\u03b1": "alpha",
            "\u03b2": "beta",
            "\u03b3": "gamma",
            "\u03b4": "delta",
            "\u03b5": "epsilon",
            "\u03b7": "eta",
            "\u03b8": "theta",
            "\u03ba": "kappa",
            "\u03bb": "lambda",
            "\u03bc": "mu",
            "\u00b5": "mu",
            "\u03c1": "rho",
            "\u03c3": "sigma",
            "\u03c4": "tau",
            "\u03c7": "chi",
        }.items()
    },
}
#: Combining marks, by the commands that set them.
_ACCENTS: Final = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0323": "d",
    "\u0327": "c",
}
_BELOW: Final = frozenset("\u0323\u0327")
_MINUS: Final = re.compile(r"(?<![\w.-])-(?=\d)")
_DASH: Final = re.compile(r"-(?=-)")  # two hyphens in a row would become a dash
#: Sizes of type in a document of 10 pt, the smallest that can still be read last.
_SIZES: Final = ((r"\small", 9.0), (r"\footnotesize", 8.0), (r"\scriptsize", 7.0))
_PAGE: Final = 340.0  # points of type of the lines below each other on a page, beside heading and caption
_LETTER: Final = 0.5  # em, of the mean letter or digit
_BETWEEN: Final = 0.6  # em, between two columns
_LEAST: Final = 6.0  # em, of a column of words


def escape(text: str) -> str:
    r"""Text escaped so that LaTeX sets it as it is, on one line; a hyphen before a number becomes a minus sign.

    Latin letters with accents are set as commands, which pdflatex knows in every font. Other letters that it does not
    know (Chinese, say) stay: they want xelatex or lualatex, see ``unset_letters``.

    >>> print(escape("50%_$&#{}~^\\"))
    50\%\_\$\&\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}
    >>> print(escape("-0.50"), escape("weight-decay"))
    $-$0.50 weight-decay
    """
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    signed = _DASH.sub("-\u200b", _MINUS.sub("\u2212", line))
    return "".join(_WORDS.get(letter) or _accented(letter) for letter in unicodedata.normalize("NFC", signed))


def _accented(letter: str) -> str:
    if letter.isascii():
        return letter
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if len(marks) != 1 or not base.isascii() or marks[0] not in _ACCENTS:
        return letter
    # An accent stands above an i without its dot.
    return rf"\{_ACCENTS[marks[0]]}{{{chr(92) + base + ' ' if base in 'ij' and marks[0] not in _BELOW else base}}}"


def table(rendered: RenderedTable, study: str = "", columns: Literal[1, 2] = 2) -> bytes:
    r"""A table as a float with caption and label ``tab:STUDY:NAME``, for a document that uses booktabs and graphicx.

    ``columns``: of the document's page. Type is as large as fits into one column, else into the page, and never under
    7 pt of a document of 10 pt, unless the table is wider than the page: then it is scaled to it, and says so. What
    all rows share stands in the caption.
    """
    kept, shared = _without_shared(rendered)
    numbers = numeric_columns(kept.rows)
    words = [index == 0 or not number for index, number in enumerate(numbers)]
    cells = list(zip(*kept.rows, strict=True))
    shape = _fitted(kept.headings, cells, words, columns)
    make = [_plain if word else _stacked if shape.stacked else _plain for word in words]
    make = [_block if width else plain for width, plain in zip(shape.widths, make, strict=True)]
    headings = [
        _block if width else _plain if word else _heading for width, word in zip(shape.widths, words, strict=True)
    ]
    kinds = "".join(
        rf"p{{{width:.0f}pt}}" if width else "l" if word else "r"
        for width, word in zip(shape.widths, words, strict=True)
    )
    caption = f"{rendered.title}. {rendered.caption}{shared}"
    heading = _row(form(cell) for form, cell in zip(headings, kept.headings, strict=True))
    every = [caption, *kept.headings, *(cell for row in kept.rows for cell in row)]
    lines = [*_needs("booktabs,graphicx", r"\input this file", every), *([f"% {shape.told}"] if shape.told else [])]
    parts = _pages(kept.rows, shape)
    moved = [rendered.headings.index(heading) for heading in kept.headings]
    bold = {(kept.rows[row], moved.index(column)) for row, column in rendered.bold if column in moved}
    for number, rows in enumerate(parts, start=1):
        first = number == 1
        part = f" (part {number} of {len(parts)})" if len(parts) > 1 else ""
        lines += [
            rf"\begin{{{shape.environment}}}",
            r"\centering",
            shape.size,
            r"\setlength{\tabcolsep}{2.5pt}",
            *_caption(
                f"{rendered.title}{part}. {rendered.caption}{shared}" if first else f"{rendered.title}{part}.",
                _label("tab", study, rendered.name if first else f"{rendered.name}-{number}"),
            ),
            # Measured first: nothing may be wider than the place that it is put in.
            rf"\setbox0=\hbox{{\begin{{tabular}}{{@{{}}{kinds}@{{}}}}",
            r"\toprule",
            heading,
            r"\midrule",
            *_rows(rows, make, bold, grouped=len(kept.headings) > 1 and kept.headings[1] == "Regularizer"),
            r"\bottomrule",
            r"\end{tabular}}%",
            r"\ifdim\wd0>\linewidth \resizebox{\linewidth}{!}{\box0}\else\box0\fi",
            rf"\end{{{shape.environment}}}",
        ]
    return ("\n".join(lines) + "\n").encode()


def _rows(
    rows: Sequence[tuple[str, ...]],
    make: Sequence[Callable[[str], str]],
    bold: Collection[tuple[tuple[str, ...], int]],
    *,
    grouped: bool,
) -> Iterator[str]:
    """The rows as LaTeX, with ``bold`` cells by their row and column.

    Where ``grouped``, the first cell stands once for all rows that share it, below a line.
    """
    before = ""
    for row in rows:
        shown = row
        if grouped and row[0] == before:
            shown = ("", *row[1:])
        elif grouped and before:
            yield r"\midrule"
        before = row[0]
        yield _row(
            rf"\textbf{{{form(cell)}}}" if (row, column) in bold else form(cell)
            for column, (form, cell) in enumerate(zip(make, shown, strict=True))
        )


def _pages(rows: Sequence[tuple[str, ...]], shape: _Shape) -> list[list[tuple[str, ...]]]:
    """The rows of a table in as many groups as it needs pages, by the lines that each row takes."""
    points = dict(_SIZES)[shape.size]
    parts: list[list[tuple[str, ...]]] = [[]]
    left = _PAGE / points
    for row in rows:
        lines = max(
            math.ceil(1.25 * len(cell) * _LETTER * points / width)
            if width
            else 2
            if shape.stacked and "[" in cell
            else 1
            for cell, width in zip(row, shape.widths, strict=True)
        )
        if lines > left and parts[-1]:
            parts.append([])
            left = _PAGE / points
        parts[-1].append(row)
        left -= lines
    return parts


def figure(name: str, title: str, caption: str, study: str, *, sheets: int, wide: bool) -> bytes:
    r"""The snippet that puts a figure, ``NAME.pdf`` beside it, into a document, with label ``fig:STUDY:NAME``.

    ``sheets``: pages of the PDF, each of which becomes a float. ``wide``: over both columns of a page of two.
    """
    environment = "figure*" if wide else "figure"
    lines = _needs(
        "graphicx,import", rf"\import{{FOLDER/}}{{{name}.tex}} with the FOLDER of this file", [title, caption]
    )
    for sheet in range(1, sheets + 1):
        page = f"page={sheet}," if sheets > 1 else ""
        part = f" (part {sheet} of {sheets})" if sheets > 1 else ""
        label = _label("fig", study, name if sheet == 1 else f"{name}-{sheet}")
        lines += [
            rf"\begin{{{environment}}}",
            r"\centering",
            rf"\includegraphics[{page}width=\linewidth,height=0.8\textheight,keepaspectratio]{{{name}.pdf}}",
            *_caption(f"{title}{part}. {caption if sheet == 1 else ''}", label),
            rf"\end{{{environment}}}",
        ]
    return ("\n".join(lines) + "\n").encode()


def unset_letters(texts: Iterable[str]) -> str:
    """The letters in ``texts`` that pdflatex cannot set, each once.

    >>> unset_letters(["weight-decay \u00e9 \u03bb", "\u6743\u91cd \u6743"])
    '\u6743\u91cd'
    """
    return "".join(dict.fromkeys(letter for text in texts for letter in escape(text) if not letter.isascii()))


def _needs(packages: str, how: str, texts: Iterable[str]) -> list[str]:
    letters = unset_letters(texts)
    lines = [
        rf"% Needs \usepackage{{{packages}}}; {how}.",
        r"% \newcommand{\withoutcaptions}{} before it leaves the caption out.",
    ]
    if letters:
        lines.insert(
            0,
            "% Needs xelatex or lualatex, not pdflatex, and by \\usepackage{fontspec} a font that has the letters "
            f"{letters}.",
        )
    return lines


def _caption(caption: str, label: str) -> list[str]:
    return [
        r"\ifdefined\withoutcaptions\else",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{{label}}}",
        r"\fi",
    ]


def _label(kind: str, study: str, name: str) -> str:
    r"""A label that no other study of the same document has.

    >>> _label("tab", "My study_2", "results"), _label("tab", "", "results")
    ('tab:My-study-2:results', 'tab:results')
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", study).strip("-")
    if study and plain != study.replace(" ", "-").replace("_", "-"):
        # Names that differ in other letters alone would be the same.
        plain = "-".join(filter(None, (plain, hashlib.sha256(study.encode()).hexdigest()[:6])))
    return ":".join(filter(None, (kind, plain, name)))


class _Shape(NamedTuple):
    environment: str
    size: str
    widths: tuple[float | None, ...]  # in points, of columns of words that go over several lines
    stacked: bool  # intervals stand below their number
    told: str  # what does not fit


def _fitted(
    headings: Sequence[str], cells: Sequence[Sequence[str]], words: Sequence[bool], columns: Literal[1, 2]
) -> _Shape:
    """The largest type in which a table fits, by the number of letters in its cells, first into one column."""
    rooms = (("table", 240.0), ("table*", 500.0)) if columns == 2 else (("table", 390.0),)
    for environment, room in rooms:
        for size, points in _SIZES:
            for stacked in (False, True):
                widths = _widths(headings, cells, words, room / points, stacked=stacked)
                if widths is not None:
                    return _Shape(environment, size, tuple(width and width * points for width in widths), stacked, "")
    environment, room = rooms[-1]
    size, points = _SIZES[-1]
    widths = [
        _LEAST * points if word and max(map(len, column), default=0) * _LETTER > _LEAST else None
        for word, column in zip(words, cells, strict=True)
    ]
    told = "Wider than a page: scaled down to it. For larger type leave columns out, or set it on a page on its side."
    return _Shape(environment, size, tuple(widths), stacked=True, told=told)


def _widths(
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    words: Sequence[bool],
    room: float,
    *,
    stacked: bool,
) -> list[float | None] | None:
    """The widths of the columns of words that go over several lines, in em; None where not all fit into ``room``."""
    room -= _BETWEEN * (len(cells) - 1)
    wanted = [
        _LETTER
        * max(_longest(heading, word, stacked=True), *(_longest(cell, word, stacked=stacked) for cell in column))
        for heading, column, word in zip(headings, cells, words, strict=True)
    ]
    if sum(wanted) <= room:
        return [None] * len(wanted)
    left = room - sum(width for width, word in zip(wanted, words, strict=True) if not word)
    open_ = sorted(width for width, word in zip(wanted, words, strict=True) if word)
    for index, width in enumerate(open_):
        most = left / (len(open_) - index)
        if width > most:
            break
        left -= width
    else:
        return None
    longest = max(
        (
            _LETTER * len(piece)
            for column, word in zip(cells, words, strict=True)
            if word
            for cell in column
            for piece in re.split(r"[\s\-_=,/.]", cell)
        ),
        default=0.0,
    )
    if most < max(_LEAST, min(longest, 2 * _LEAST)):
        return None
    return [most if word and width > most else None for width, word in zip(wanted, words, strict=True)]


def _longest(cell: str, word: bool, *, stacked: bool) -> int:
    """Letters of the longest line of a cell as it is set."""
    if word:
        return len(cell)
    if not cell.startswith(("[", "+", "-")) and not any(letter.isdigit() for letter in cell):
        return max(map(len, _heading_lines(cell)), default=0) if stacked else len(cell)
    return max(map(len, split_interval(cell))) if stacked else len(cell)


def _without_shared(rendered: RenderedTable) -> tuple[RenderedTable, str]:
    """The table without the columns of words that are alike in all rows, and the sentence that says them."""
    numbers = numeric_columns(rendered.rows)
    columns = list(zip(*rendered.rows, strict=True))
    shared = [
        index
        for index, column in enumerate(columns)
        if len(column) > 1 and len(set(column)) == 1 and not numbers[index] and column[0] not in EMPTY
    ]
    if not shared or len(shared) == len(columns):
        return rendered, ""
    said = "; ".join(f"{rendered.headings[index]}: {columns[index][0]}" for index in shared)

    def kept(row: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cell for index, cell in enumerate(row) if index not in shared)

    table_ = rendered._replace(headings=kept(rendered.headings), rows=tuple(map(kept, rendered.rows)))
    return table_, f" In all rows: {said}."


def _row(cells: Iterable[str]) -> str:
    # A ragged column takes the double backslash for itself.
    return " & ".join(cells) + r" \tabularnewline"


def _plain(cell: str) -> str:
    return escape(cell)


def _block(cell: str) -> str:
    # A long name has no other place to be broken.
    text = re.sub(r"(\\_|[=/.])(?=\S)", r"\1\\allowbreak{}", escape(cell))
    return rf"\raggedright {text}"


def _stacked(cell: str) -> str:
    value, below = split_interval(cell)
    return _stack([value, below], "t") if below else escape(cell)


def _heading(text: str) -> str:
    # Long headings of number columns are broken after their words, or the table would be as wide as they are.
    lines = _heading_lines(text)
    return _stack(lines, "b") if len(lines) > 1 else escape(text)


def _heading_lines(text: str) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + len(word) < 12:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _stack(lines: list[str], alignment: str) -> str:
    stacked = r"\\".join(map(escape, lines))
    return rf"\begin{{tabular}}[{alignment}]{{@{{}}r@{{}}}}{stacked}\end{{tabular}}"
