"""What the attacks on confirmed runs cost, said before a study begins."""

from __future__ import annotations

from tune_reg.data import describe
from tune_reg.evaluation import ATTACKS, DistanceAttack
from tune_reg.study.plan import StudyPlan


def attack_cost(plan: StudyPlan) -> list[str]:
    """What the attacks of a study cost at most, as a line with the share of each; nothing where it asks for none.

    An image passes through the network once for each gradient that an attack takes and for each query.

    >>> from tune_reg.study import Study, make_plan
    >>> study = {"name": "x", "dataset": "digits", "model": "nn-2", "regularizers": ["weight-decay"]}
    >>> tests = {"pgd_linf": [0.1, 0.2], "autoattack_linf": [0.1], "images": 200}
    >>> attack_cost(make_plan(Study(**study, robustness=tests, confirm={"seeds": 5})))
    ['attacks: at most 3,985,500 image passes on 5 confirmed runs (autoattack-linf 98 %, pgd-linf 2 %)']
    """
    settings = plan.study.robustness
    asked = [attack for attack in ATTACKS if getattr(settings, attack.key)]
    if not asked:
        return []
    available, costs = describe(plan.study.dataset).n_test, {}
    for attack in asked:
        times = 1 if isinstance(attack, DistanceAttack) else len(getattr(settings, attack.key))
        costs[attack.name] = attack.passes * times * min(getattr(settings, attack.images), available)
    runs, total = len(plan.confirmations), sum(costs.values())
    shares = sorted(costs.items(), key=lambda item: -item[1])
    each = ", ".join(f"{name} {cost / total:.0%}".replace("%", " %") for name, cost in shares)
    return [f"attacks: at most {runs * total:,} image passes on {runs:,} confirmed runs ({each})"]
