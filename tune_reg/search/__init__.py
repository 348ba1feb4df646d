"""The search for strengths, by ask and tell: the only room that imports Optuna."""
