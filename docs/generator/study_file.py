"""Every key of a study file, from the models that read it: type, default, bounds, and what it is."""

import inspect
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sphinx.pycode import ModuleAnalyzer

from generator.markdown import table
from tune_reg.study import Study

_TYPES = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    list: "list",
    dict: "table",
    Any: "any",
}

#: How the rules of pydantic's ``Field`` are written, by their attribute.
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥", "max_length": "length ≤"}


def study_file_page() -> str:
    """The page of all keys, a section for each table."""
    sections = [
        "# Every key of a study file\n",
        "`tune-reg check` says what is wrong with a file, by its key. A key that is not given has its default. "
        "Keys with "
        'the default "(needed)" must be given.\n',
    ]
    for name, model in tables(Study):
        title = f"`[{name}]`" if name else "The study itself"
        sections += [
            f"## {title}\n",
            f"{table(['key', 'type', 'default', 'bounds', 'what it is'], list(rows(model)))}\n",
        ]
        if not name:
            sections.append(
                "`regularizers` is a list of names, or a table with one table for each method: see "
                "[Methods of a study](/methods.md) for its keys, and [the "
                "regularizers](/made/regularizers/index.md) for "
                "their hyperparameters.\n"
            )
    return "\n".join(sections)


def tables(model: type[BaseModel], name: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The tables of a study file by their names, the study itself first."""
    yield name, model
    for key, field in model.model_fields.items():
        for kind in _alternatives(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from tables(kind, f"{name}.{key}" if name else key)


def rows(model: type[BaseModel]) -> Iterator[list[str]]:
    """A row for each key of a table that is no table itself."""
    for key, field in model.model_fields.items():
        kinds = _alternatives(field.annotation)
        if any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds):
            continue
        yield [f"`{key}`", type_text(field), default_text(field), bounds_text(field), description(model, key)]


def description(model: type[BaseModel], key: str) -> str:
    """What stands above a field, in comments that begin with ``#:``; of the first class that declares it."""
    for kind in model.__mro__:
        if key in inspect.get_annotations(kind):
            documented = ModuleAnalyzer.for_module(kind.__module__).find_attr_docs()
            lines = documented.get((kind.__qualname__, key), [])
            return re.sub(r"``([^`]*)``", r"`\1`", " ".join(lines)).strip()
    return ""


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(kind for kind in typing.get_args(annotation) if kind is not type(None))
    return (annotation,)


def type_text(field: FieldInfo) -> str:
    """The type of a field in words."""
    return " or ".join(_type(kind) for kind in _alternatives(field.annotation))


def _type(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _type(typing.get_args(kind)[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(kind))
    if origin is list:
        (entry,) = typing.get_args(kind)
        return f"list of {_type(entry)}"
    if origin is dict:
        return "table"
    return _TYPES.get(kind, getattr(kind, "__name__", str(kind)))


def default_text(field: FieldInfo) -> str:
    """The default as TOML would have it."""
    if field.default is PydanticUndefined:
        return "(needed)"
    if field.default is None:
        return "none"
    if field.default in ("", [], ()):
        return "empty"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, float):
        return f"`{field.default:.6g}`"
    return f'`"{field.default}"`' if isinstance(field.default, str) else f"`{field.default}`"


def bounds_text(field: FieldInfo) -> str:
    """The bounds of a number, or of the length of a text or list."""
    texts = [_bound(rule) for rule in _rules(field)]
    return ", ".join(text for text in texts if text)


def _rules(field: FieldInfo) -> Iterator[Any]:
    yield from field.metadata
    for kind in _alternatives(field.annotation):
        for part in (kind, *typing.get_args(kind)):
            if typing.get_origin(part) is typing.Annotated:
                for rule in typing.get_args(part)[1:]:
                    yield from rule.metadata if isinstance(rule, FieldInfo) else [rule]


def _bound(rule: Any) -> str:
    for name, text in _BOUNDS.items():
        if hasattr(rule, name):
            return f"{text} {getattr(rule, name):,}"
    return ""
