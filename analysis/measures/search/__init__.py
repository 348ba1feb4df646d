"""Measures of the search: how accuracy responds to hyperparameters, which of them mattered, what a budget bought."""
