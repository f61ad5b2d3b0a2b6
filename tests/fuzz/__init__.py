"""Fuzzing: `make fuzz` searches for inputs that break something; the corpus is what once did."""
