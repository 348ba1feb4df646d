"""Figures of the report: each module computes the numbers of a figure, then draws them."""
