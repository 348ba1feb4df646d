"""Files of a user with a regularizer that does nothing to the training, but something else: hang, die, write a log."""

import textwrap

from tune_reg.regularizers import load_plugin

_PLUGIN = """
import os
import signal
import time
from pathlib import Path

from search_spaces import SearchSpace, choice
from tune_reg.regularizers import Hyperparameter, Regularizer, register

LOG = Path({log!r})

@register
class {title}(Regularizer):
    name = "{name}"
    formula = "nothing"
    reference = "@misc{{{name}}}"
    hyperparameters = (Hyperparameter("strength", 0.0, "names the trial", low=0.0, off=0.0),)
    strength = "strength"
    space = SearchSpace({{"strength": choice({strengths})}}, start=[{{"strength": s}} for s in {strengths}])

    def {hook}:
{body}
"""

#: Called once an epoch, or several times; may return a strength of zero.
ONCE_AN_EPOCH = "weight_decay(self, strengths, progress)"
#: Called in every step; must return the images.
EVERY_STEP = "inputs(self, images, strengths, progress, noise)"


def load_regularizer(folder, name, strengths, body, *, hook=ONCE_AN_EPOCH):
    """Write a plugin into ``folder`` and load it here; the path of its file.

    The regularizer is searched over ``strengths``, in this order. ``body``: of its ``hook``, where ``LOG`` is the file
    that ``logged`` reads. A process knows each name once, so that each test needs a name of its own.
    """
    path = folder / f"{name.replace('-', '_')}.py"
    title = name.title().replace("-", "")
    body = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    log = str(folder / "log.txt")
    path.write_text(_PLUGIN.format(title=title, name=name, strengths=strengths, hook=hook, body=body, log=log))
    load_plugin(path)
    return path


def logged(folder):
    """The lines of a plugin's log, each as its words."""
    log = folder / "log.txt"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []
