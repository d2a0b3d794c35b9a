"""The kernels' plain NumPy twin, exact sums, and inputs that any machine can make again. It knows nothing of fastreg."""

from fractions import Fraction

import numpy as np

LANES, CHUNK, BLOCK_BYTES = 32, 4096, 4096

# Sizes around every border: lanes, blocks of either dtype, chunks, and odd ones that several threads share.
BORDERS = [LANES, 2 * LANES, 512, 512 + LANES, 1024, 1024 + LANES, 1536, 2048, 3072, *(k * CHUNK for k in (1, 2, 3, 5))]
SIZES = sorted({0, 1, 2, 3, 7, 16, 100_003} | {border + step for border in BORDERS for step in (-1, 0, 1)})


# ---------------------------------------------------------------------------------------------------------------- inputs
def bits(n, seed=0):
    """Return n well mixed 64-bit integers (splitmix64): integer arithmetic alone, so the same on every machine."""
    x = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def weights(shape, dtype, seed=0):
    """Return weights of both signs over 16 binades below 2**4, exactly representable; one in 64 is 0.0 and one -0.0."""
    x = bits(int(np.prod(shape)), seed)
    digits = 24 if dtype == np.float32 else 53
    size = np.ldexp((x >> np.uint64(64 - digits)).astype(np.float64), (x & np.uint64(15)).astype(np.int64) - 11 - digits)
    size[x & np.uint64(63 << 4) == 0] = 0.0
    return np.where(x >> np.uint64(10) & np.uint64(1), -size, size).astype(dtype).reshape(shape)


def offset(x, n_bytes):
    """Return a copy of x in the same memory order that starts n_bytes behind a 64-byte border."""
    memory = np.full(x.nbytes + 128, 0xAB, dtype=np.uint8)
    start = -memory.ctypes.data % 64 + n_bytes
    order = "C" if x.flags.c_contiguous else "F"
    copy = np.ndarray(x.shape, x.dtype, memory, start, order=order)
    copy[...] = x
    return copy


# ------------------------------------------------------------------------------------------------------------------ twin
def fold_neighbours(sums):
    """Fold rows in a tree of neighbours; an odd last one is carried up."""
    while len(sums) > 1:
        folded = sums[: len(sums) // 2 * 2 : 2] + sums[1::2]
        sums = np.concatenate([folded, sums[-1:]]) if len(sums) % 2 else folded
    return sums[0]


def fold_terms(terms, fours):
    """Return the sum of non-negative float64 terms in the kernels' exact shape; float64 weights add four rows at a time.

    What a short block, chunk or tail lacks is filled with zeros: adding 0.0 to what is not negative changes no bit.
    """
    if terms.size == 0:
        return 0.0
    rows = np.zeros(-(-terms.size // CHUNK) * CHUNK)
    rows[: terms.size] = terms
    block = BLOCK_BYTES // (8 if fours else 4)
    rows = rows.reshape(-1, CHUNK // block, block // LANES, LANES)  # chunk, block, row, lane
    if fours:
        rows = (rows[:, :, 0::4] + rows[:, :, 1::4]) + (rows[:, :, 2::4] + rows[:, :, 3::4])
    lanes = np.zeros_like(rows[:, :, 0])
    for row in range(rows.shape[2]):
        lanes = lanes + rows[:, :, row]
    lanes = fold_neighbours(lanes.swapaxes(0, 1))  # blocks first: chunk, lane
    for half in (16, 8, 4):
        lanes = lanes[:, :half] + lanes[:, half:]
    return float(fold_neighbours((lanes[:, 0] + lanes[:, 2]) + (lanes[:, 1] + lanes[:, 3])))


def value64(w, l1, l2):
    """Return the penalty in float64, as a collection adds it up."""
    with np.errstate(all="ignore"):
        x = w.astype(np.float64).ravel(order="K")
        fours = w.dtype == np.float64
        parts = [l1 * fold_terms(np.abs(x), fours)] if l1 != 0 else []
        parts += [l2 * 0.5 * fold_terms(x * x, fours)] if l2 != 0 else []
        return np.float64(sum(parts, start=0.0))


def value(w, l1, l2):
    """Return the penalty, rounded once to the dtype of w."""
    with np.errstate(all="ignore"):
        return w.dtype.type(value64(w, l1, l2))


def gradient(w, l1, l2, base=None):
    """Return base + (l1*sign(w) + l2*w) in the dtype of w; a coefficient of 0 leaves its part out."""
    kind = w.dtype.type
    with np.errstate(all="ignore"):
        parts = [kind(l1) * np.sign(w)] if l1 != 0 else []
        parts += [kind(l2) * w] if l2 != 0 else []
        if not parts:
            return np.zeros_like(w) if base is None else base.copy(order="K")
        slope = sum(parts[1:], start=parts[0])
        return np.asarray(slope if base is None else base + slope)


def prox(w, step, l1, l2):
    """Return sign(w)*max(|w| - step*l1, 0) / (1 + step*l2) in the dtype of w."""
    kind = w.dtype.type
    with np.errstate(all="ignore"):
        return np.asarray(np.sign(w) * np.maximum(np.abs(w) - kind(step * l1), kind(0)) / kind(1 + step * l2))


# ------------------------------------------------------------------------------------------------------------- exact sums
def exact_sums(w):
    """Return (sum(|w|), sum(w**2)) as exact fractions."""
    mantissa, exponent = np.frexp(np.abs(w.astype(np.float64)).ravel())
    mantissa = np.ldexp(mantissa, 53).astype(np.int64)
    absolute = square = Fraction(0)
    for e in np.unique(exponent):
        integers = mantissa[exponent == e].tolist()
        unit = Fraction(2) ** (int(e) - 53)
        absolute += sum(integers) * unit
        square += sum(i * i for i in integers) * unit**2
    return absolute, square


def exact_value(w, l1, l2):
    absolute, square = exact_sums(w)
    return Fraction(l1) * absolute + Fraction(l2) / 2 * square


def ulps(value, exact):
    """Return how far a finite value is from the exact one, in units in the last place of the exact one in its dtype."""
    kind = type(value)
    return float(abs(Fraction(float(value)) - exact) / Fraction(float(np.spacing(kind(float(exact))))))


# ------------------------------------------------------------------------------------------------- operations, and as twin
def outcomes(penalty, w, base, steps=(0.0, 0.5), put=np.copy):
    """Return what every form of every operation gives; `put` copies an array to where it shall lie."""
    found = {"value": penalty(put(w)), "gradient": penalty.gradient(put(w))}

    def gradient(name, x, out, accumulate):
        assert penalty.gradient(x, out=out, accumulate=accumulate) is out
        found[f"gradient {name}"] = out

    def value_and_gradient(name, x, out, accumulate):
        found[f"value with gradient {name}"], result = penalty.value_and_gradient(x, out=out, accumulate=accumulate)
        assert out is None or result is out
        found[f"gradient with value {name}"] = result

    value_and_gradient("new", put(w), None, False)
    for fill in (gradient, value_and_gradient):
        fill("written", put(w), put(base), False)
        fill("added", put(w), put(base), True)
        for name, accumulate in (("in place", False), ("added in place", True)):
            x = put(w)
            fill(name, x, x, accumulate)
    for step in steps:
        found[f"prox {step}"] = penalty.prox(put(w), step)
        found[f"prox {step} written"] = penalty.prox(put(w), step, out=put(base))
        x = put(w)
        found[f"prox {step} in place"] = penalty.prox(x, step, out=x)
    return found


def expected(l1, l2, w, base, steps=(0.0, 0.5)):
    """Return the twin of `outcomes`."""
    slope, total = gradient(w, l1, l2), value(w, l1, l2)
    bases = {"written": None, "added": base, "in place": None, "added in place": w}
    found = {"value": total, "gradient": slope, "value with gradient new": total, "gradient with value new": slope}
    for name, start in bases.items():
        found[f"value with gradient {name}"] = total
        found[f"gradient {name}"] = found[f"gradient with value {name}"] = gradient(w, l1, l2, start)
    for step in steps:
        for name in ("", " written", " in place"):
            found[f"prox {step}{name}"] = prox(w, step, l1, l2)
    return found


def raw(x):
    """Return the bits of x, element by element, little-endian; a NaN is a NaN, whatever its payload."""
    x = np.asarray(x)
    x = np.where(np.isnan(x), x.dtype.type(np.nan), x)
    return x.astype(x.dtype.newbyteorder("<")).tobytes()


def assert_same(found, expected):
    """Compare dtypes, shapes and bits, for arrays, scalars, or dicts of them."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same_array(key, found[key], expected[key])
    else:
        assert_same_array("result", found, expected)


def assert_same_array(name, found, expected):
    assert found.dtype == expected.dtype, f"{name}: dtype {found.dtype}, not {expected.dtype}"
    assert found.shape == expected.shape, f"{name}: shape {found.shape}, not {expected.shape}"
    if raw(found) != raw(expected):
        x, y = np.atleast_1d(found), np.atleast_1d(expected)
        unlike = np.argwhere((x != y) & ~(np.isnan(x) & np.isnan(y)) | (np.signbit(x) != np.signbit(y)) & ~np.isnan(x))
        at = tuple(unlike[0])
        raise AssertionError(f"{name}: {len(unlike)} of {x.size} differ, first at {at}: {x[at]!r}, not {y[at]!r}")
