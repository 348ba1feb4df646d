"""Words that sentences of the report share."""

from types import SimpleNamespace

import pytest

from analysis.wording import baseline_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("weight-decay", "weight-decay"),
        ("none", "the baseline (none)"),
        ("No", "the baseline (No)"),
        (None, "the baseline"),
    ],
)
def test_a_baseline_called_none_does_not_turn_a_sentence_into_its_contrary(name, text):
    assert baseline_text(SimpleNamespace(baseline=name)) == text
