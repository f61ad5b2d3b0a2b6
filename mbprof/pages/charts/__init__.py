"""Charts: the points that they show, how they look, and one function for each kind."""
