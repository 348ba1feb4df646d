"""Published numbers of the four papers beside measured ones."""
