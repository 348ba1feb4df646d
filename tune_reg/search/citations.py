"""The publications behind a search: Optuna, its sampler and its stopping rule."""

from __future__ import annotations

from typing import Final

from tune_reg.references import bibtex
from tune_reg.search.pruners import PRUNERS
from tune_reg.search.samplers import SAMPLERS
from tune_reg.study import SearchSettings

_OPTUNA: Final = ("Optuna (the search)", "akiba2019optuna")


def citations(settings: SearchSettings) -> list[tuple[str, str]]:
    """What is cited for, and its BibTeX, of everything that a search with these settings uses.

    >>> [method for method, _ in citations(SearchSettings(sampler="qmc", pruner="none"))]
    ['Optuna (the search)', 'Sobol sequence (the sampler)']
    """
    cited = [_OPTUNA, *SAMPLERS[settings.sampler].citations, *PRUNERS[settings.pruner].citations]
    return [(method, bibtex(key)) for method, key in cited]
