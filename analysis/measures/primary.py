"""The primary question of a study: which comparisons with the baseline were declared before as what decides.

By default it is the test accuracy of each method on the largest training set. Everything else is secondary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analysis.measures.accuracy import Setting
from analysis.snapshot import Snapshot, mapping, once

#: What is compared beside the metric itself: shares in [0, 1], higher is better.
AREA: Final = "mean accuracy over epsilon"
CORRUPTED: Final = "mean accuracy under corruptions"
CALIBRATION: Final = "calibration"  # 1 - expected calibration error

_BESIDE: Final = frozenset({AREA, CORRUPTED, CALIBRATION})
_DEFAULT: Final = "test_accuracy"
_CORRUPTIONS: Final = "corruptions"


def test_measure(data: Snapshot) -> str:
    """The metric of the study on the test images, as a measure: "test accuracy", where it names no other."""
    return f"test {data.metric.words}"


def is_of_metric(measure: str) -> bool:
    """Whether a measure is that of ``test_measure``, and none of robustness or calibration."""
    return measure not in _BESIDE


def is_primary(data: Snapshot, measure: str, test: str, setting: Setting) -> bool:
    """Whether a comparison is one of those that the study declared as primary.

    ``measure``: ``test_measure``, AREA under the attack ``test``, CORRUPTED, or CALIBRATION, which is always secondary.
    The study declares it as ``confirm.primary``: ``test_accuracy``, which stands for the metric of the study,
    ``corruptions`` or the name of an attack, with ``-`` or ``_``.
    """
    declared = _plain(mapping(data.study.get("confirm")).get("primary") or _DEFAULT)
    if measure == CALIBRATION:
        return False
    compared = _plain(_DEFAULT if is_of_metric(measure) else _CORRUPTIONS if measure == CORRUPTED else test)
    return setting == largest_setting(data) and compared == declared


@once
def largest_setting(data: Snapshot) -> Setting | None:
    """The largest training set of the study, with strengths searched on it; None where nothing is stored.

    It is that of the study and not the largest on which runs ended, so that it is the same before and after.
    """
    searched = [(row["fraction"], row["fraction"]) for row in data.trials]
    confirmed = [(row["fraction"], row["search_fraction"]) for row in data.final]
    settings = [*searched, *confirmed]
    if not settings:
        return None
    largest = max(fraction for fraction, _ in settings)
    carried_from = [search for fraction, search in confirmed if fraction == largest]
    # A strength searched on the largest set itself comes before one carried over to it.
    return Setting(largest, largest if largest in carried_from else max(carried_from, default=largest))


def in_rounds(data: Snapshot) -> bool:
    """Whether seeds were, or are still being, added until each method is decided, in place of a fixed number."""
    confirm = data.study.get("confirm")  # an empty table where a study leaves all to the defaults
    return bool(data.decisions) or (isinstance(confirm, Mapping) and "seeds" not in confirm)


def margin_of(data: Snapshot) -> float | None:
    """Differences of the metric inside +-margin, in its unit, do not matter; None where the study gives no margin."""
    margin = mapping(data.study.get("confirm")).get("margin")
    return float(margin) if isinstance(margin, int | float) and not isinstance(margin, bool) else None


def _plain(name: object) -> str:
    return str(name).strip().lower().replace("_", "-").replace(" ", "-")
