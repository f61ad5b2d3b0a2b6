"""A spec at some values, compiled to a graph and costed."""
