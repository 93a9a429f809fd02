"""How kernels are compiled: cached on disk, free of the interpreter lock, with IEEE 754 division."""

from __future__ import annotations

from numba import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")
