"""The parts of ``lanes.py``: the ways to train that it compares, and the least time that a step can take."""
