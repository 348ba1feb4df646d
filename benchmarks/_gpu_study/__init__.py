"""The parts of ``gpu_study.py``."""
