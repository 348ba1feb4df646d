"""Numbers as a person reads them: the one place where tables, figures, claims and the terminal get their strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from analysis.statistics import LEVEL, Comparison, Estimate

#: Stands where there is no value.
NONE: Final = "none"

_NO_REMARKS: Final[Mapping[str, str]] = {}


def estimate_text(value: Estimate | Comparison | None, *, signed: bool = False) -> str:
    """A mean and its interval, in percent; "none" where there is none.

    >>> estimate_text(Estimate(5, 0.9731, 0.9701, 0.976, "Student t"))
    '97.31 [97.01, 97.60]'
    >>> estimate_text(None)
    'none'
    """
    return NONE if value is None else interval_text(value.mean, value.low, value.high, "+.2f" if signed else ".2f", 100)


def interval_text(mean: float, low: float | None, high: float | None, form: str, unit: float = 1) -> str:
    """A number and its interval, each times ``unit`` and in the format ``form``.

    >>> interval_text(0.5, 0.25, 0.75, ".0f", 100), interval_text(0.5, None, None, "+.2f")
    ('50 [25, 75]', '+0.50')
    """
    if low is None or high is None:
        return number_text(unit * mean, form)
    return f"{number_text(unit * mean, form)} [{number_text(unit * low, form)}, {number_text(unit * high, form)}]"


def number_text(value: float, form: str) -> str:
    """A number in the format ``form``; zero without a sign, since "-0.00" says a direction that is not there.

    >>> number_text(-0.001, ".2f"), number_text(-0.001, "+.2f"), number_text(-0.01, ".2f")
    ('0.00', '+0.00', '-0.01')
    """
    text = f"{value:{form}}"
    return f"{0.0:{form}}" if float(text) == 0 else text


def p_value(p: float | None) -> str:
    """A p-value, to three digits; "none" where nothing was tested.

    >>> p_value(0.0004), p_value(0.0312), p_value(None)
    ('<0.001', '0.031', 'none')
    """
    if p is None:
        return NONE
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def corrected_p(comparison: Comparison | None) -> str:
    """The corrected p-value of a comparison; of one in rounds p as it is, with the nominal level of its last look.

    >>> corrected_p(None)
    'none'
    >>> corrected_p(Comparison(8, 0.02, 0.01, 0.03, "Student t", 0.01, 0.02, True, level=0.012))
    '0.010 (at level 0.0120)'
    """
    if comparison is None:
        return NONE
    if comparison.p_holm is None and comparison.p is not None:
        looked = comparison.level != LEVEL
        return f"{p_value(comparison.p)} (at level {comparison.level:.4f})" if looked else "no look yet"
    return p_value(comparison.p_holm)


def params_text(values: Mapping[str, Any], remarks: Mapping[str, str] = _NO_REMARKS) -> str:
    """Hyperparameters and their values, in the order of their names, each followed by its remark where it has one.

    >>> params_text({"mu": 0.75, "decay": 0.000123456})
    'decay = 0.000123, mu = 0.75'
    """
    return ", ".join(f"{name} = {setting_text(value)}{remarks.get(name, '')}" for name, value in sorted(values.items()))


def picks_text(params: Iterable[Mapping[str, Any]], timescales: Iterable[float | None]) -> str:
    """The hyperparameters of one pick or several, with the timescale of each weight decay; "" where there is none.

    >>> picks_text([{"rate": 0.5, "weight_decay": 0.1}], [20.0])
    'rate = 0.5, weight_decay = 0.1 (timescale 20 epochs)'
    """
    return "; or ".join(
        params_text(values, {} if timescale is None else {"weight_decay": f" (timescale {timescale:.3g} epochs)"})
        for values, timescale in zip(params, timescales, strict=True)
    )


def setting_text(value: object) -> str:
    """One hyperparameter's value, to three significant digits where it is a float.

    >>> setting_text(0.000123456), setting_text("laplace")
    ('0.000123', 'laplace')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def share_text(fraction: float) -> str:
    """A share of 1, in percent.

    >>> share_text(0.125)
    '12.5 %'
    """
    return f"{100 * fraction:.4g} %"


def count(quantity: int, noun: str) -> str:
    """A number of things, with the noun in the singular or plural.

    >>> count(1, "run"), count(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{quantity:,} {noun}" if quantity == 1 else f"{quantity:,} {noun}s"


def duration(value: float) -> str:
    """Seconds as a duration that a person reads.

    >>> duration(12.34), duration(3700)
    ('12.3 s', '1 h 2 min')
    """
    if value < 120:
        return f"{value:.1f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 and value < 3600 else f"{minutes // 60} h {minutes % 60} min"


def attack_name(test: str, norm: str | None) -> str:
    """The name of an attack, with its norm where the name does not say it.

    >>> attack_name("fgsm", "linf"), attack_name("cw-l2", "l2")
    ('fgsm (linf)', 'cw-l2')
    """
    return f"{test} ({norm})" if norm and norm not in test else test


def scored_on(*, picked_on_test: bool) -> str:
    """Which images trials are scored on: in protocol "paper" the test set.

    >>> scored_on(picked_on_test=False)
    'validation'
    """
    return "test" if picked_on_test else "validation"
