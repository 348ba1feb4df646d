"""Measures of a study, one question a file: numbers computed from the tables, not yet put in words or drawn."""
