"""The report of a reproduction: published and measured numbers side by side."""
