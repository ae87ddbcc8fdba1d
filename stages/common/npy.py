"""The header of NumPy's files of arrays."""

from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np

_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns are first, and type of an npy of version 1 or 2; `file` is then at its values.

    Raises ValueError.
    """
    try:
        return _READERS[np.lib.format.read_magic(file)](file)
    except (KeyError, SyntaxError, TokenError, OverflowError) as error:  # an unknown version, or a damaged header
        raise ValueError(str(error)) from None
