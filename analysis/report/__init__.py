"""The report of a study: verdict, claims, facts and citations in words, written as a page and as text."""
