"""Write the kernel's random words to standard output, for test batteries that read a stream.

    python tests/verification/stream.py ORDER [SEED] | dieharder -a -g 200

The words are the main words of one segment, as the cost kernel addresses them, little-endian and
without end. ``people`` writes 1,024 people of a draw and goes on with the next draw; ``draws``
writes 4,096 draws of a person and goes on with the next person. See docs/generator.md.
"""

from __future__ import annotations

import os
import sys
from itertools import count

import numpy as np

from simdc.kernels.philox import key_words, stream_of, strip_words

PEOPLE, DRAWS = 1024, 4096
ORDERS = ("people", "draws")


def main(order: str, seed: int = 2022) -> None:
    """Write until nobody reads any more."""
    if order not in ORDERS:
        sys.exit(f"the order is one of {', '.join(ORDERS)}, not {order}")
    stream, key = np.uint64(stream_of(1, "aged")), key_words(seed)
    zero = np.uint64(0)
    words = np.empty((PEOPLE, DRAWS), np.uint32)
    for block in count():
        strip_words(words, np.uint64(block * DRAWS), stream, zero, zero, *key)
        written = words.T if order == "people" else words
        try:
            sys.stdout.buffer.write(written.astype("<u4", order="C").data)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
