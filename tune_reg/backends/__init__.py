"""Whoever trains the runs of a study: the workers, and the systems that start them."""
