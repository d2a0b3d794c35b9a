"""Results compared to the last bit, and digests of many of them."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Result = Array | np.floating[Any]


def raw(x: Result) -> bytes:
    """Return the bits of x, element by element, little-endian; a NaN is a NaN, whatever its payload."""
    x = np.asarray(x)
    x = np.where(np.isnan(x), x.dtype.type(np.nan), x)
    return x.astype(x.dtype.newbyteorder("<")).tobytes()


def digest(results: Iterable[bytes]) -> str:
    """Return one sha256 over many results."""
    total = hashlib.sha256()
    for result in results:
        total.update(result)
    return total.hexdigest()


def assert_same(found: Any, expected: Any) -> None:
    """Compare dtypes, shapes and bits, for arrays, scalars, or dicts of them."""
    if isinstance(expected, Mapping):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same_array(key, found[key], expected[key])
    else:
        assert_same_array("result", found, expected)


def assert_same_array(name: str, found: Result, expected: Result) -> None:
    """Compare one result, and say where it differs first."""
    assert found.dtype == expected.dtype, f"{name}: dtype {found.dtype}, not {expected.dtype}"
    assert found.shape == expected.shape, f"{name}: shape {found.shape}, not {expected.shape}"
    if raw(found) != raw(expected):
        x, y = np.atleast_1d(found), np.atleast_1d(expected)
        unlike = np.argwhere((x != y) & ~(np.isnan(x) & np.isnan(y)) | (np.signbit(x) != np.signbit(y)) & ~np.isnan(x))
        at = tuple(unlike[0])
        raise AssertionError(f"{name}: {len(unlike)} of {x.size} differ, first at {at}: {x[at]!r}, not {y[at]!r}")
