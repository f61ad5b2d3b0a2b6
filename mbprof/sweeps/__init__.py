"""Many configurations: which, filtered how, written where."""
