"""Whole documents and charts."""
