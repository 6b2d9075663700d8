"""The matrix products of compiled loops: each by the thread that asks for it."""

from __future__ import annotations

import ctypes
from pathlib import Path

import scipy

LIBRARIES = Path(scipy.__file__).parent.with_name("scipy.libs")
"""What scipy's wheels bring along; numba multiplies with it."""


def one_thread() -> bool:
    """Have scipy's OpenBLAS compute with the thread that calls it; was it found?

    Its own threads meet at every product, which makes small ones slow on a machine that others use,
    and two loops at once would wait for each other.
    """
    for path in sorted(LIBRARIES.glob("libscipy_openblas*")):
        library = ctypes.CDLL(str(path))
        for name in ("scipy_openblas_set_num_threads", "scipy_openblas_set_num_threads64_"):
            if hasattr(library, name):
                getattr(library, name)(1)
                return True
    return False
