"""A store to write to, and rows of trials."""

import pytest

from tune_reg.store import Store


@pytest.fixture
def trial():
    """A function that makes the row of a trial: its number, and columns that differ."""

    def row(number, **changes):
        return {
            "study": "0123",
            "regularizer": "adadecay",
            "fraction": 1.0,
            "trial": number,
            "params": {"weight_decay": 5e-4, "alpha": 4},
            "state": "complete",
            "value": 0.9,
            **changes,
        }

    return row


@pytest.fixture
def store(tmp_path):
    (tmp_path / "study.toml").write_text('name = "x"\n')
    (tmp_path / "provenance.json").write_text('{"command": "tune-reg run"}')
    return Store(tmp_path, study_hash="0123")
