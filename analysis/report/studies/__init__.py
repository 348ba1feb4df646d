"""Comparing several studies: their rows, ranks, tables and documents."""
