"""Parts of ``claims.py``: studies whose truth is known, and what the report would claim of them."""
