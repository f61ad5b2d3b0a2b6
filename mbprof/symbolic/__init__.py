"""One build serves many configurations: symbols for the knobs that vary, and programs of them."""
