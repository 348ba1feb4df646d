"""Facts of a study in words: what it asked, how its methods work, and where its results come from."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from analysis.exports import bibtex
from analysis.formatting import setting_text, share_text
from analysis.measures.search.spaces import DEPENDS, all_spaces
from analysis.metric_text import metric_text
from analysis.snapshot import Snapshot, mapping
from tune_reg.decisions import LOOKS


class Method(NamedTuple):
    """One regularizer of the study: formula, strength, search space and citation."""

    name: str
    formula: str | None
    strength: str | None  # the hyperparameter that is the strength
    space: tuple[tuple[str, str], ...]
    cite: str  # the keys of its BibTeX entries, or its reference as it is where that is no BibTeX


def question(data: Snapshot) -> tuple[tuple[str, str], ...]:
    """What the study asked, as pairs of a name and a value."""
    study = data.study
    facts = [
        ("Data set", study.get("dataset")),
        ("Model", study.get("model")),
        ("Training loop", study.get("trainer")),
        ("Training examples, with those that validate", study.get("examples")),
        ("Regularizers", ", ".join(data.regularizers)),
        ("Baseline", data.baseline),
        ("Shares of the training data", _fractions(study.get("fractions"))),
        ("Strengths picked on", "the test set" if data.picked_on_test else "a validation split of the training data"),
        ("Judged by", _judged_by(data)),
        ("Training", _settings(study.get("training"))),
        ("Search, each regularizer", _settings(study.get("search"))),
        ("Confirmed on", _confirmed(study.get("confirm"))),
        ("Attacked by", _settings(study.get("robustness"))),
        ("Seed", study.get("seed")),
    ]
    return tuple((name, str(value)) for name, value in facts if value not in (None, ""))


def _judged_by(data: Snapshot) -> str:
    """The metric of the study, where it is not the accuracy."""
    metric = data.metric
    if metric.is_accuracy:
        return ""
    return f"{metric.words}{f' in {metric.unit}' if metric.unit else ''}, the {metric_text(data).best} is the best"


def methods(data: Snapshot) -> tuple[Method, ...]:
    """The regularizers of the study, in the order of every table."""
    return tuple(_method(data, name) for name in data.regularizers)


def provenance(data: Snapshot) -> tuple[tuple[str, str], ...]:
    """Where the results come from, as pairs of a name and a value.

    The call as it was typed stays in ``provenance.json``: it names folders of one machine.
    """
    return tuple(_flat(data.provenance, skip=("regularizers", "citations", "command", "argv")))


def commands(data: Snapshot) -> str:
    """The commands that make the study and its report again, with plugins and version."""
    code = mapping(data.provenance.get("code"))
    versions = [f"tune-reg {code['version']}"] if code.get("version") else []
    versions += [f"commit {code['commit']}"] if code.get("commit") else []
    hash_ = data.provenance.get("study_hash")
    versions += [f"study {hash_}"] if hash_ else []
    run = str(data.provenance.get("command") or "tune-reg run study.toml --out DIR")
    plugins = "".join(f" --plugin {shlex.quote(name)}" for name in sorted(mapping(data.provenance.get("plugins"))))
    comment = [f"# {', '.join(versions)}; study.toml lies in DIR"] if versions else []
    return "\n".join([*comment, f"{run}{plugins}", "tune-reg report DIR"])


def _fractions(value: object) -> str:
    return ", ".join(share_text(at) for at in sorted(value)) if isinstance(value, list) else ""


def _confirmed(value: object) -> str:
    rounds = f"rounds of {', '.join(map(str, LOOKS[:-1]))} and {LOOKS[-1]} seeds until decided"
    in_rounds = isinstance(value, Mapping) and "seeds" not in value
    return "; ".join(part for part in (rounds if in_rounds else "", _settings(value)) if part)


def _settings(value: object) -> str:
    return "; ".join(f"{key.replace('_', ' ')} {text}" for key, text in _flat(value))


def _flat(value: object, *, prefix: str = "", skip: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    # Tables of tables become lines of "key key: value".
    lines: list[tuple[str, str]] = []
    for key, inner in mapping(value).items():
        name = f"{prefix}{key}"
        if name in skip or inner is None:
            continue
        if isinstance(inner, dict):
            lines += _flat(inner, prefix=f"{name} ")
        elif isinstance(inner, list):
            lines.append((name, ", ".join(setting_text(item) for item in inner)))
        else:
            lines.append((name, setting_text(inner)))
    return lines


def _method(data: Snapshot, name: str) -> Method:
    method = data.method(name)
    reference = str(method.get("reference") or "")
    return Method(
        name=name,
        formula=method.get("formula"),
        strength=method.get("strength"),
        space=tuple((key, _space(space)) for key, space in all_spaces(data).get(name, {}).items()),
        cite=", ".join(bibtex.keys(reference)) or reference,
    )


def _space(description: object) -> str:
    fields = mapping(description)
    if "choices" in fields:
        return "one of " + ", ".join(map(setting_text, fields["choices"]))
    if "low" in fields and "high" in fields:
        more = (", log" if fields.get("log") else "") + (" at most, by the trial" if fields.get(DEPENDS) else "")
        return f"{setting_text(fields['low'])} to {setting_text(fields['high'])}{more}"
    if "value" in fields:
        return setting_text(fields["value"])
    return _settings(fields) if fields else str(description)
