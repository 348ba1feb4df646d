"""Figures of the confirmed runs: accuracy against data, learning curves, schedules."""
