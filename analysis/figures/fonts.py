"""Letters that the font of the figures lacks, and fonts on this machine that have them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

#: Inside matplotlib, so that a layout is the same on every machine.
FONT: Final = "DejaVu Sans"


class Fallback(NamedTuple):
    """What stands in for ``FONT`` where it lacks letters: fonts, and the letters that no font has."""

    families: tuple[str, ...]
    missing: frozenset[str]


def fallback(numbers: Any) -> Fallback:
    """Fonts on this machine for the letters in ``numbers`` that ``FONT`` lacks, those with most of them first.

    Names of Latin, Greek and Cyrillic letters need none, so that their figures are the same on every machine.

    >>> fallback(("a", ("\u00e9", 1.0)))
    Fallback(families=(), missing=frozenset())
    """
    letters = frozenset(letter for letter in _letters(numbers) if not letter.isascii())
    return _fallback(letters) if letters else Fallback((), frozenset())


def numbered(numbers: Any, missing: frozenset[str]) -> tuple[Any, dict[str, str]]:
    """``numbers`` with "(1)", "(2)", ... for what is written in letters that no font has, and what each stands for.

    >>> numbered(("a \u6743\u91cd", "\u6743\u91cd b"), frozenset("\u6743\u91cd"))
    (('a (1)', '(1) b'), {'(1)': '\u6743\u91cd'})
    """
    signs: dict[str, str] = {}

    def sign(run: str) -> str:
        return signs.setdefault(run, f"({len(signs) + 1})") if run else ""

    def replaced(value: Any) -> Any:
        if isinstance(value, str):
            text, run = "", ""
            for letter in value:
                if letter in missing:
                    run += letter
                else:
                    text, run = text + sign(run) + letter, ""
            return text + sign(run)
        if isinstance(value, tuple):
            changed = [replaced(each) for each in value]
            return type(value)(*changed) if hasattr(value, "_fields") else tuple(changed)
        return type(value)(map(replaced, value)) if isinstance(value, frozenset) else value

    return replaced(numbers), {number: run for run, number in signs.items()}


def _letters(value: Any) -> set[str]:
    if isinstance(value, str):
        return set(value)
    if isinstance(value, tuple | list | set | frozenset):
        return set().union(*map(_letters, value))
    return set().union(*map(_letters, value.items())) if isinstance(value, Mapping) else set()


@lru_cache
def _fallback(letters: frozenset[str]) -> Fallback:
    from matplotlib.font_manager import findSystemFonts, fontManager

    missing = {letter for letter in letters - _letters_of(_path(FONT)) if letter.isprintable()}
    if not missing:
        return Fallback((), frozenset())
    listed = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():  # matplotlib's own list is as old as its first use on this machine
        if path not in listed:
            try:
                fontManager.addfont(path)
            except (OSError, RuntimeError, ValueError):
                continue
    paths: dict[str, str] = {}
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name, str(entry.weight), entry.fname)):
        if entry.style == "normal" and entry.name != FONT and "last resort" not in entry.name.lower():
            paths.setdefault(entry.name, entry.fname)
    covers = {name: _letters_of(path) & missing for name, path in paths.items()}
    families = []
    while missing:
        best = max(sorted(covers), key=lambda name: len(covers[name] & missing), default="")
        if not best or not covers[best] & missing:
            break
        families.append(best)
        missing -= covers[best]
    return Fallback(tuple(families), frozenset(missing))


def _path(family: str) -> str:
    from matplotlib.font_manager import FontProperties, findfont

    return str(findfont(FontProperties(family=[family])))


def _letters_of(path: str) -> set[str]:
    from matplotlib.font_manager import get_font

    try:
        return set(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return set()
