"""Text and values: the located tree, expressions, and how numbers are read and written."""
