"""What is tried once before a study starts: what would fail in an hour fails here, in one line."""

from tune_reg.execution.preflight.parts import preflight

__all__ = ["preflight"]
