"""Random generators that depend on what they are for, not on when they are asked.

A generator is made from the run's seed and the names of the thing that it draws for (sample, value,
purpose), so that neither the order of samples nor concurrency changes a draw.
"""

import hashlib

import numpy as np

__all__ = ["generator_for"]


def generator_for(seed: int, *names: object) -> np.random.Generator:
    """A generator for one purpose.

    Args:
        seed: the run's seed.
        names: what the draws are for, for instance `"windows", sample_id, value`.

    Returns:
        A `numpy.random.Generator`, the same in every process for the same arguments.
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
