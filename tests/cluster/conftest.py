import random

import pytest

from tune_reg import Study

#: What breaks a careless writer of YAML or of shell scripts.
AWKWARD = [
    "a'b",
    'a"b',
    "$(touch was-here)",
    "`id`",
    "a; rm -rf x",
    "a && b || c",
    "${HOME} $HOME",
    "a\\b\\",
    "#a",
    "a # b",
    "a: b",
    "- a",
    "? a",
    "*a",
    "&a !b |c >d %e @f",
    "{a: [b]}",
    "null",
    "yes",
    "1e3",
    "0x1F",
    "~",
    "---",
    "...",
    "END_OF_STUDY",
    "END_OF_PLUGIN",
    "{{ nodes }} {% raw %}",
    "<<'EOF'",
    " a ",
    "ä€😀",
    "a\u2028b\u0085c",
    "!!python/object/apply:os.system",
]


@pytest.fixture(scope="session")
def awkward_texts():
    """Texts that break careless quoting: the list above, and as many seeded mixtures of its entries."""
    rng = random.Random(0)
    mixed = ["".join(rng.sample(AWKWARD, 3))[:80] for _ in AWKWARD]
    return AWKWARD + mixed


@pytest.fixture(scope="session")
def study_of():
    """Make a small study, with some of its keys given."""

    def study(**keys):
        base = {"name": "small", "dataset": "digits", "model": "nn-2-small", "regularizers": ["weight-decay"]}
        return Study(**{**base, **keys})

    return study
