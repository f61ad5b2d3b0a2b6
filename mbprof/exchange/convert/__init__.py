"""Networks to specs, with blocks and tables where they repeat themselves."""
