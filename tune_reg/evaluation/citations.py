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
    asked = [attack for attack in ATTACKS if getattr(settings, attack.key)]
    methods = {}
    if any(attack.method != AUTOATTACK_LINF.method for attack in asked):  # that one is run here
        methods["Foolbox (running the attacks)"] = "rauber2020foolbox"
    for attack in asked:
        methods.update({attack.method: attack.citation, **dict(attack.parts)})
    if settings.corruptions:
        methods[METHOD] = CITATION
    return [(method, bibtex(key)) for method, key in methods.items()]
