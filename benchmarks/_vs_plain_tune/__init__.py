"""The arms of ``vs_plain_tune.py``: each is a function from the options to its numbers."""
