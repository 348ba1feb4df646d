"""The forms in which tables and figures leave a report: CSV, Markdown, LaTeX, BibTeX, PDF, PNG and a page."""
