"""Figures of robustness: attacks, corruptions, and clean against robust accuracy."""
