"""Tables of what can be named in a study file, from the registries that hold it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from generator.markdown import table
from tune_reg.data import DATASETS
from tune_reg.models import MODELS
from tune_reg.optimizers import OPTIMIZERS
from tune_reg.references import bibtex
from tune_reg.search.pruners.catalog import PRUNERS
from tune_reg.search.samplers import SAMPLERS


def rules_page() -> str:
    """Which sampler and which stopping rule, when."""
    heads = ["name", "when", "what it does", "source"]
    return "\n".join(
        [
            "# Which sampler and stopping rule, when\n",
            "Take the default unless you have a reason: it is what [was measured](/made/how-it-searches.md). "
            "`sampler` and `pruner` stand in `[search]`.\n",
            "## Samplers: what is tried next\n",
            f"{table(heads, list(_rows(SAMPLERS)))}\n",
            "## Stopping rules: what is trained no further\n",
            f"{table(heads, list(_rows(PRUNERS)))}\n",
            "`pause` goes with the sampler `knowledge-gradient` alone, and that with `pause` or `none`.\n",
        ]
    )


def _rows(entries: Mapping[Any, Any]) -> Iterable[list[str]]:
    for entry in entries.values():
        sources = "; ".join(short_reference(bibtex(key)) for _, key in entry.citations)
        yield [f"`{entry.name}`", entry.when, entry.description, sources]


def short_reference(entry: str) -> str:
    """Who published an entry of BibTeX, when, and its title.

    >>> short_reference("@article{a, title = {On X}, author = {Frazier, Peter and Powell, Warren}, year = {2009}}")
    'Frazier and Powell 2009, On X'
    """
    fields = dict(re.findall(r"\b(title|author|year)\s*=\s*\{((?:[^{}]|\{[^{}]*\})*)\}", entry))
    names = [name.partition(",")[0].strip() for name in re.split(r"\s+and\s+", fields["author"])]
    who = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    return re.sub(r"[{}]|\\\W", "", f"{who} {fields['year']}, {fields['title']}")


def names_page() -> str:
    """The models, data sets and optimizers that come with the package."""
    return "\n".join(
        [
            "# Models, data sets and optimizers\n",
            "Your own stand beside them: `package.module:function`, see [a model of your own](/own-model.md).\n",
            "## Models\n",
            f"{table(['name', 'what it is'], [[f'`{name}`', text] for name, text in MODELS.items()])}\n",
            "## Data sets\n",
            f"{table(['name', 'what it is'], [[f'`{name}`', text] for name, text in DATASETS.items()])}\n",
            "## Optimizers\n",
            f"{table(['name', 'what it is'], [[f'`{o.name}`', o.description] for o in OPTIMIZERS.values()])}\n",
        ]
    )
