"""``python -m mbprof``."""

from mbprof.cli import main

if __name__ == "__main__":
    main()
