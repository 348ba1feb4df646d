"""A pydantic error as lines for a person: each mistake as ``key: rule, but got value``."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ValidationError

from tune_reg.errors import StudyError, did_you_mean

_LONGEST: Final = 80


def error_lines(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Each mistake in the keys of ``model`` as ``key: rule, but got value``."""
    lines = []
    for detail in error.errors():
        key = ".".join(_key(part) for part in detail["loc"])
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, StudyError):  # names its key itself
            lines.append(str(cause))
        elif detail["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown key{did_you_mean(str(detail['loc'][-1]), _keys(model, detail['loc'][:-1]))}")
        elif detail["type"] == "missing":
            lines.append(f"{key}: is required")
        elif detail["type"] == "too_long":
            most = detail["ctx"]["max_length"]
            lines.append(f"{key}: must have at most {most} entries, but has {len(detail['input']):,}")
        elif isinstance(cause, ValueError):
            lines.append(f"{key}: {cause}")
        else:
            lines.append(f"{key}: {rule_of(detail['type'], detail['msg'])}, but got {short(detail['input'])}")
    return lines


def rule_of(kind: str, message: str) -> str:
    """The rule of a mistake that pydantic found, as the end of a sentence.

    >>> rule_of("int_type", "Input should be a valid integer")
    'must be a valid integer'
    """
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a table"
    rule = message.removeprefix("Input ").replace("should be", "must be").replace("should", "must")
    return f"{rule[0].lower()}{rule[1:]}"


def _key(part: int | str) -> str:
    """A part of a key as a message shows it, in one line."""
    text = str(part)
    return text if text.isprintable() and len(text) <= _LONGEST else short(text)


def short(value: Any) -> str:
    """A value as a message shows it: a long one by its beginning.

    >>> short("digits"), len(short(list(range(1000))))
    ("'digits'", 83)
    """
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _keys(model: Any, table: tuple[int | str, ...]) -> list[str]:
    for part in table:
        model = model.model_fields[str(part)].annotation
    return list(model.model_fields)
