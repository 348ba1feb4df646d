"""The templates of this package, filled with values that are quoted for a shell or for YAML."""

from __future__ import annotations

import functools
import shlex
from typing import Any

import jinja2
import yaml

#: A width at which YAML folds no string: folded text is hard to read.
_NO_FOLDING = 2**20


def yaml_value(value: str | int | bool) -> str:
    r"""A value as YAML on one line. Text stands in double quotes, and characters outside ASCII are escaped.

    >>> print(yaml_value("no: 'x' $(y)\n"), yaml_value(True))
    "no: 'x' $(y)\n" true
    """
    style = '"' if isinstance(value, str) else None
    text: str = yaml.safe_dump(value, default_style=style, width=_NO_FOLDING)
    return text.removesuffix("...\n").strip("\n")


def yaml_document(value: Any) -> str:
    """A mapping or list as YAML, with texts of several lines as blocks where YAML allows it."""
    text: str = yaml.dump(value, Dumper=_BlockDumper, sort_keys=False, width=_NO_FOLDING, allow_unicode=True)
    return text


def render(template: str, **values: Any) -> str:
    """A template of this package, filled with ``values``. A name that the template uses must be among them."""
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tune_reg.cluster"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # no HTML: each value goes through yaml or sh
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["yaml"] = yaml_value
    environment.filters["sh"] = shlex.quote
    environment.filters["command"] = shlex.join
    return environment


class _BlockDumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # In a block, YAML reads these three characters as line breaks and gives back another one.
    block = "\n" in text and not set(text) & set("\x85\u2028\u2029")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_BlockDumper.add_representer(str, _text)
