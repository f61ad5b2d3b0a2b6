"""Charts: the points that they show, how they look, and one function for each kind."""

from mbprof.output.files import undisturbed

# An interrupt amid its modules in C leaves them half made, of which Python dies when it ends.
with undisturbed():
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401
