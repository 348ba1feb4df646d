"""The surrogate model of a search: what final value is expected of every configuration, from what was trained so far.

The search asks it where to go on, and the report reads its curves and the luck of a pick from it.
"""
