r"""Tables as LaTeX with booktabs, each a file for ``\input``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from analysis.exports.rendered_table import RenderedTable, numeric_columns, split_interval

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
_MINUS: Final = re.compile(r"(?<![\w.-])-(?=\d)")
_DASH: Final = re.compile(r"-(?=-)")  # two hyphens in a row would become a dash
_LONG: Final = 14  # characters of a text cell that is given a column of fixed width in a wide table


def escape(text: str) -> str:
    r"""Text escaped so that LaTeX sets it as it is, on one line; a hyphen before a number becomes a minus sign.

    Letters that pdflatex does not know by itself (Chinese, say) stay: they want xelatex or lualatex.

    >>> print(escape("50%_$&#{}~^\\"))
    50\%\_\$\&\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}
    >>> print(escape("-0.50"), escape("weight-decay"))
    $-$0.50 weight-decay
    """
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    signed = _DASH.sub("-\u200b", _MINUS.sub("\u2212", line))
    return "".join(_WORDS.get(letter, letter) for letter in signed)


def table(rendered: RenderedTable) -> bytes:
    r"""A table as a float with caption and label ``tab:NAME``, for a document that uses booktabs.

    Tables of more than six columns go over both columns of a two-column page.
    """
    numbers = numeric_columns(rendered.rows)
    columns = len(rendered.headings)
    wide = columns > 6
    longest = [max(map(len, column)) for column in zip(*rendered.rows, strict=True)]
    # Long words are set in columns of fixed width, numbers with their interval below them where room is short.
    words = [index == 0 or not number for index, number in enumerate(numbers)]
    fixed = [word and long > (_LONG if wide else 2 * _LONG) for word, long in zip(words, longest, strict=True)]
    width = f"{0.12 if wide else min(0.35, 1 / columns):.2f}"
    kinds = "".join(
        rf"p{{{width}\linewidth}}" if block else "l" if word else "r" for block, word in zip(fixed, words, strict=True)
    )
    shape = [
        _block if block else _plain if word or not wide else _stacked for block, word in zip(fixed, words, strict=True)
    ]
    headings = [_block if block else _plain if word else _heading for block, word in zip(fixed, words, strict=True)]
    float_ = "table*" if wide else "table"
    size = r"\tiny" if columns > 8 else r"\scriptsize" if wide else r"\small"
    lines = [
        r"% Needs \usepackage{booktabs}; \input this file.",
        rf"\begin{{{float_}}}",
        r"\centering",
        size,
        r"\setlength{\tabcolsep}{2.5pt}",
        rf"\caption{{{escape(rendered.title)}. {escape(rendered.caption)}}}",
        rf"\label{{tab:{rendered.name}}}",
        rf"\begin{{tabular}}{{@{{}}{kinds}@{{}}}}",
        r"\toprule",
        _row(make(heading) for make, heading in zip(headings, rendered.headings, strict=True)),
        r"\midrule",
        *(_row(make(cell) for make, cell in zip(shape, row, strict=True)) for row in rendered.rows),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\end{{{float_}}}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _row(cells: Iterable[str]) -> str:
    # A ragged column takes the double backslash for itself.
    return " & ".join(cells) + r" \tabularnewline"


def _plain(cell: str) -> str:
    return escape(cell)


def _block(cell: str) -> str:
    return rf"\raggedright {escape(cell)}"


def _stacked(cell: str) -> str:
    value, below = split_interval(cell)
    return _stack([value, below], "t") if below else escape(cell)


def _heading(text: str) -> str:
    # Long headings of number columns are broken after their words, or the table would be as wide as they are.
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + len(word) < 12:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return _stack(lines, "b") if len(lines) > 1 else escape(text)


def _stack(lines: list[str], alignment: str) -> str:
    stacked = r"\\".join(map(escape, lines))
    return rf"\begin{{tabular}}[{alignment}]{{@{{}}r@{{}}}}{stacked}\end{{tabular}}"
