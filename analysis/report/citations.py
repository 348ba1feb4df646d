"""What a paper that uses a study has to cite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from analysis.exports import bibtex
from analysis.measures.results import result_table
from analysis.measures.timescale import TIMESCALE
from analysis.report.citations_of_0_1 import used_by_0_1
from analysis.snapshot import Snapshot, mapping
from analysis.statistics import corrections, intervals, outliers
from analysis.statistics.publications import Publication
from tune_reg.references import bibtex as bibtex_of


class Citation(NamedTuple):
    """One method that the study used, and where it comes from."""

    method: str
    bibtex: str


def citations(data: Snapshot) -> tuple[Citation, ...]:
    """The regularizers' own references, in the report's order, and those of the search, the tests and the statistics.

    A run writes into its provenance what it used; results of 0.1 have no such list.
    """
    methods = [(name, data.method(name).get("reference")) for name in data.regularizers]
    regularizers = [Citation(name, str(reference)) for name, reference in methods if reference]
    written = data.provenance.get("citations")
    if isinstance(written, list):
        used = [Citation(str(entry["method"]), str(entry["bibtex"])) for entry in map(mapping, written) if entry]
    else:
        used = cited(used_by_0_1(data))
    statistics = [*intervals.PUBLICATIONS, *corrections.PUBLICATIONS, *outliers.PUBLICATIONS] if data.final else []
    timed = any(each is not None for row in result_table(data) for each in row.timescales)
    return (*regularizers, *used, *cited([*statistics, *([TIMESCALE] if timed else [])]))


def cited(publications: Iterable[Publication]) -> list[Citation]:
    """Publications with their BibTeX."""
    return [Citation(publication.method, bibtex_of(publication.key)) for publication in publications]


def bibtex_file(citations: Iterable[Citation]) -> str:
    """The BibTeX of all citations as the text of one file."""
    return "".join(f"{entry}\n\n" for entry in bibtex.entries(citation.bibtex for citation in citations))


def keys_by_method(citations: Iterable[Citation]) -> list[tuple[str, tuple[str, ...]]]:
    r"""Each method and the keys of its entries, for ``\cite``."""
    return [(citation.method, bibtex.keys(citation.bibtex)) for citation in citations]
