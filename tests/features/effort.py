"""How much work something is, whatever else the machine does."""

import gc
import time
from collections.abc import Callable


def effort(work: Callable[[], object]) -> float:
    """Return the processor time of some work, over that of 20 million steps of a plain loop.

    The loop takes about a second where nothing else runs. What the process holds already is not
    looked through for garbage meanwhile, since that depends on what ran before.
    """
    gc.collect()
    gc.freeze()
    try:
        begun = time.process_time()
        for _ in range(10):
            sum(number & 7 for number in range(100_000))
        between = time.process_time()
        work()
        ended = time.process_time()
        for _ in range(10):
            sum(number & 7 for number in range(100_000))
    finally:
        gc.unfreeze()
    loop = between - begun + time.process_time() - ended
    return (ended - between) / (10 * loop)
