r"""Tables as LaTeX with booktabs, each a file for ``\input``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from analysis.exports.printed import Printed, numeric_columns

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
_WIDE: Final = 24  # characters of a text cell that is given a column of fixed width


def escape(text: str) -> str:
    r"""``text`` so that LaTeX sets it as it is, on one line; a hyphen before a number becomes a minus sign.

    Letters that pdflatex does not know by itself (Chinese, say) stay: they want xelatex or lualatex.

    >>> print(escape("50%_$&#{}~^\\"))
    50\%\_\$\&\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}
    >>> print(escape("-0.50"), escape("weight-decay"))
    $-$0.50 weight-decay
    """
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    signed = _DASH.sub("-\u200b", _MINUS.sub("\u2212", line))
    return "".join(_WORDS.get(letter, letter) for letter in signed)


def table(printed: Printed) -> bytes:
    r"""``printed`` as a float with caption and label ``tab:NAME``, for a document that uses booktabs.

    Tables of more than six columns go over both columns of a two-column page.
    """
    numbers = numeric_columns(printed.rows)
    longest = [max(map(len, column)) for column in zip(*printed.rows, strict=True)]
    width = f"{min(0.22, 1.1 / len(longest)):.2f}\\linewidth"
    kinds = "".join(
        "r" if number else rf"p{{{width}}}" if long > _WIDE else "l"
        for number, long in zip(numbers, longest, strict=True)
    )
    columns = len(printed.headings)
    float_ = "table*" if columns > 6 else "table"
    size = r"\tiny" if columns > 8 else r"\scriptsize" if columns > 6 else r"\small"
    lines = [
        r"% Needs \usepackage{booktabs}; \input this file.",
        rf"\begin{{{float_}}}",
        r"\centering",
        size,
        r"\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{escape(printed.title)}. {escape(printed.caption)}}}",
        rf"\label{{tab:{printed.name}}}",
        rf"\begin{{tabular}}{{@{{}}{kinds}@{{}}}}",
        r"\toprule",
        _row([_heading(heading, number=number) for heading, number in zip(printed.headings, numbers, strict=True)]),
        r"\midrule",
        *(_row(map(escape, row)) for row in printed.rows),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\end{{{float_}}}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _heading(text: str, *, number: bool) -> str:
    # Long headings of number columns are broken after their words, or the table would be as wide as they are.
    if not number or len(text) <= 10:
        return escape(text)
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + len(word) < 12:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    stacked = r"\\".join(map(escape, lines))
    return rf"\begin{{tabular}}[b]{{@{{}}r@{{}}}}{stacked}\end{{tabular}}"
