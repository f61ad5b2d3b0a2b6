"""Other people's numbers: accuracies, claims, counters, and where a number comes from."""
