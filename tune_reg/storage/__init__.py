"""Where results may lie: a folder of this machine or of an object store, and the right to write it alone."""
