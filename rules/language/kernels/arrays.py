"""Arrays as kernels know them: for another layout or flag they would be compiled anew, in mid-tick."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

_Array = TypeVar("_Array", bound=npt.NDArray[Any])


def plain(array: _Array) -> _Array:
    """The array itself if it is contiguous and writeable, else a copy that is."""
    if array.flags.c_contiguous and array.flags.writeable:
        return array
    return cast("_Array", np.array(array, order="C"))
