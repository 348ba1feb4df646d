"""The default search space of each regularizer, and the grids of the papers."""
