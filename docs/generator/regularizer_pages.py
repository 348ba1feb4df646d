"""A page for each regularizer of the registry: formula, figure, settings, when to use it, citation."""

import html
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from generator.effects import draw_effect
from generator.formulas import mathml
from generator.markdown import table
from search_spaces import SearchSpace
from tune_reg.regularizers import Hyperparameter, Regularizer, regularizers


def write_regularizer_pages(folder: Path) -> None:
    """Write ``NAME.md`` and ``NAME.svg`` for every regularizer, and ``index.md``, which lists them."""
    kinds = regularizers()
    for name, kind in kinds.items():
        caption = draw_effect(kind, folder / f"{name}.svg")
        (folder / f"{name}.md").write_text(regularizer_page(kind, caption), encoding="utf-8")
    (folder / "index.md").write_text(regularizer_index(kinds), encoding="utf-8")


def regularizer_index(kinds: dict[str, type[Regularizer]]) -> str:
    """The page that lists the regularizers, with when to use each."""
    rows = [[f"[{name}]({name}.md)", kind.when] for name, kind in kinds.items()]
    pages = "\n".join(kinds)
    return (
        "# Regularizers\n\nEach can be named in a study file, several together as a list: see "
        "[Methods of a study](/methods.md).\n\n"
        f"{table(['name', 'when to use it'], rows)}\n\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
    )


def regularizer_page(kind: type[Regularizer], caption: str) -> str:
    """The page of one regularizer, in Markdown."""
    paragraphs = re.sub(r"``([^`]*)``", r"`\1`", inspect.cleandoc(kind.__doc__ or ""))
    space = [f"`{name}`: {kind.paper[name]}" for name in kind.paper] if kind.paper else []
    paper = f'\n`space = "paper"` searches the grid of the paper: {"; ".join(space)}.\n' if space else ""
    return "\n".join(
        [
            f"# {kind.name}\n",
            f"{paragraphs}\n",
            "## Formula\n",
            f'<div class="formula" tabindex="0" role="group" aria-label="{html.escape(kind.formula)}">\n'
            f"{mathml(kind.formula)}\n</div>\n",
            f"As in the tables: `{kind.formula}`\n",
            *(_figure(kind.name, caption) if caption else ()),
            "## When to use it\n",
            f"{kind.when}\n",
            "## Settings\n",
            f"Its strength is `{kind.strength}`. In a study:\n",
            f"```toml\n[regularizers.{kind.name}]\n{''.join(_study_lines(kind))}```\n",
            f"{table(['key', 'what it is', 'default', 'bounds', 'searched by default', 'usual'], list(_rows(kind)))}\n",
            "*Default*: the value where nothing searches it. *Searched by default*: the range in a study that gives "
            "none. *Usual*: the prior of the search, with its spread (a factor where the range is logarithmic) "
            "and where "
            "it is known from.\n",
            paper,
            "## Reference\n",
            f"```bibtex\n{kind.reference}\n```\n",
        ]
    )


def _figure(name: str, caption: str) -> list[str]:
    return [
        "## What it does\n",
        f"![{caption}]({name}.svg)\n",
        f"*{caption}* Drawn by the regularizer's own code.\n",
    ]


def _study_lines(kind: type[Regularizer]) -> Iterator[str]:
    """The searched hyperparameters as a study would write their ranges."""
    from search_spaces import entry_to_plain

    for name in kind.space:
        plain = entry_to_plain(kind.space[name])
        yield f"{name} = {_toml(plain)}\n"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _rows(kind: type[Regularizer]) -> Iterator[list[str]]:
    for hyperparameter in kind.hyperparameters:
        name = hyperparameter.name
        yield [
            f"`{name}`",
            hyperparameter.description,
            f"`{hyperparameter.default}`",
            _bounds(hyperparameter),
            str(kind.space[name]) if name in kind.space else "no",
            _usual(kind.space, name),
        ]


def _bounds(hyperparameter: Hyperparameter) -> str:
    return ", ".join(f"`{choice}`" for choice in hyperparameter.choices) or hyperparameter.bounds


def _usual(space: SearchSpace, name: str) -> str:
    prior = space.priors.get(name)
    return str(prior) if prior else ""
