"""Tables of the search: best values, importance, and what was spent."""
