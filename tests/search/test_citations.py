"""Samplers and stopping rules carry their names, descriptions and sources."""

from typing import get_args

import pytest

from tune_reg.references import bibtex
from tune_reg.search.citations import citations
from tune_reg.search.pruners import PRUNERS
from tune_reg.search.samplers import SAMPLERS
from tune_reg.study import SearchSettings
from tune_reg.study.settings import PrunerName, SamplerName


def test_a_study_file_may_name_what_is_declared_and_nothing_else():
    assert set(SAMPLERS) == set(get_args(SamplerName))
    assert set(PRUNERS) == set(get_args(PrunerName))


@pytest.mark.parametrize("declared", [*SAMPLERS.values(), *PRUNERS.values()], ids=lambda declared: declared.name)
def test_each_is_described_and_its_sources_are_in_the_bibliography(declared):
    assert declared.description.endswith(".")
    for method, key in declared.citations:
        assert method
        assert bibtex(key).startswith("@")


@pytest.mark.parametrize(
    ("settings", "cited"),
    [
        ({"sampler": "cma-es", "pruner": "hyperband"}, ["hansen2001completely", "li2018hyperband"]),
        ({"sampler": "tpe-gp"}, ["bergstra2011algorithms", "ament2023unexpected", "li2020system"]),
        ({"sampler": "random", "pruner": "wilcoxon", "seeds": 4}, ["bergstra2012random", "wilcoxon1945individual"]),
        ({"sampler": "grid", "pruner": "none"}, []),
    ],
)
def test_what_a_search_uses_is_cited_after_optuna(settings, cited):
    entries = [entry for _, entry in citations(SearchSettings(**settings))]
    assert entries == [bibtex(key) for key in ["akiba2019optuna", *cited]]
