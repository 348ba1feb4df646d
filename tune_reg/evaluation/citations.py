"""What to cite for the robustness tests of a study."""

from __future__ import annotations

from tune_reg.evaluation.attacks import ATTACKS, AUTOATTACK_LINF
from tune_reg.evaluation.corruptions import CITATION, METHOD
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.references import bibtex


def citations(settings: RobustnessSettings) -> list[tuple[str, str]]:
    """What to cite for the tests that ``settings`` ask for: method lines with BibTeX, in the report's order.

    >>> [method for method, _ in citations(RobustnessSettings(pgd_linf=[0.1], pgd_l2=[0.5], corruptions=["jpeg"]))]
    ['Foolbox (running the attacks)', 'PGD', 'Common corruptions']
    """
    methods = {attack.method: attack.citation for attack in ATTACKS if getattr(settings, attack.key)}
    if methods.keys() - {AUTOATTACK_LINF.method}:  # that one is run here
        methods = {"Foolbox (running the attacks)": "rauber2020foolbox", **methods}
    if settings.corruptions:
        methods[METHOD] = CITATION
    return [(method, bibtex(key)) for method, key in methods.items()]
