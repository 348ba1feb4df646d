"""The option that names models."""

from __future__ import annotations

import argparse

from tune_reg import models
from tune_reg.errors import TuneRegError


def model_name(name: str) -> str:
    """``name``, where it names a model; as argparse wants it, a mistake is an ``ArgumentTypeError``."""
    try:
        models.check(name)
    except TuneRegError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name
