"""The parts of ``search_efficiency.py``: problems with a known best value, and searches simulated on them."""
