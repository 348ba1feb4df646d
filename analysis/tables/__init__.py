"""Tables of the report: each module computes the rows of a table in words, and its numbers."""
