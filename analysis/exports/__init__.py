"""Exports of tables and figures: HTML, Markdown, LaTeX, BibTeX, CSV, SVG, PDF and PNG."""
