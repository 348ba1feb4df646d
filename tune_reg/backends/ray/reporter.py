"""What Ray Tune reports of its own: nothing."""

from __future__ import annotations

from typing import Any

from ray.tune import ProgressReporter


class Silent(ProgressReporter):
    """A reporter that shows nothing: Tune's own clears the output of a notebook's cell, with what a study shows."""

    def setup(self, *arguments: Any, **named: Any) -> None:
        """Show nothing."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        """False: nothing is ever reported."""
        del trials, done
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: str) -> None:
        """Report nothing."""
