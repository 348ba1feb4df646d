"""Carries a study out: what to train next, what is written down, what is decided. Knows neither Optuna nor Ray."""
