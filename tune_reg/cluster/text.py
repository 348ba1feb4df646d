"""Values made safe for a shell and for YAML, and the templates that they stand in."""

from __future__ import annotations

import functools
import shlex
from typing import Any

import jinja2
import yaml

#: YAML would fold a long string; a shell would not mind, a reader would.
_ONE_LINE = 2**20


def yaml_value(value: str | int | bool) -> str:
    r"""A value as YAML on one line; text always in double quotes, what is not plain ASCII escaped.

    >>> print(yaml_value("no: 'x' $(y)\n"), yaml_value(True))
    "no: 'x' $(y)\n" true
    """
    style = '"' if isinstance(value, str) else None
    text: str = yaml.safe_dump(value, default_style=style, width=_ONE_LINE)
    return text.removesuffix("...\n").strip("\n")


def yaml_document(value: Any) -> str:
    """Tables and lists as YAML, texts of several lines as blocks where YAML allows it."""
    text: str = yaml.dump(value, Dumper=_Blocks, sort_keys=False, width=_ONE_LINE, allow_unicode=True)
    return text


def render(template: str, **values: Any) -> str:
    """A template of this package, filled in. Nothing is left to chance: an unknown name is an error."""
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


class _Blocks(yaml.SafeDumper):
    pass


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # In a block these three are line breaks, too, and come back as another one.
    block = "\n" in text and not set(text) & set("\x85\u2028\u2029")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Blocks.add_representer(str, _text)
