"""Networks aligned, side by side or as a difference."""
