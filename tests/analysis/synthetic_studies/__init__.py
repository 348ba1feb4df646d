"""Synthetic studies, written through the store as the search writes one."""
