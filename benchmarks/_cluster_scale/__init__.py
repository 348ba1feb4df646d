"""The parts of ``cluster_scale.py``: its arms, what it measures of the driver, and its figure."""
