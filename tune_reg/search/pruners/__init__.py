"""Stopping rules: which trials are not trained to the end."""

from tune_reg.search.pruners.catalog import PRUNERS, Pruner, build

__all__ = ["PRUNERS", "Pruner", "build"]
