"""Figures of the search: its trials, their curves, and what it cost."""
