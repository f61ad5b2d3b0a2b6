"""Graphs to files of PyTorch and Keras, as a person would write them."""
