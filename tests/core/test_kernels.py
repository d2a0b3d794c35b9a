"""Every operation in every form against its plain NumPy twin."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_calls import evaluate, penalty
from regularizers import DTYPES, PENALTIES, dtypes, penalties, switched_off, twins
from scipy.optimize import check_grad
from twin.compare import assert_same
from twin.forms import expected, outcomes
from twin.inputs import SIZES, offset, weights
from twin.penalties import Elastic
from twin.sums import CHUNK

import fastreg as fr


@dtypes
@penalties
@pytest.mark.parametrize("size", SIZES)
def test_every_operation_is_its_twin_bit_for_bit(regularizer, twin, dtype, size):
    w, base = weights(size, dtype), weights(size, dtype, seed=1)
    assert_same(outcomes(regularizer, w, base), expected(twin, w, base))


@dtypes
@twins
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (3, 0), (1, 5), (7, 5), (64, 65), (3, 4, 5), (2, 1, 700, 3)], ids=str)
def test_shapes_and_memory_orders(twin, dtype, shape, order):
    w, base = (weights(shape, dtype, seed).copy(order) for seed in (2, 3))
    found = outcomes(penalty(twin), w, base)
    assert_same(found, expected(twin, w, base))
    for name in ("gradient", "gradient with value new", "prox 0.5"):
        assert type(found[name]) is np.ndarray
        assert found[name].flags[f"{order}_CONTIGUOUS"]


@dtypes
@twins
def test_a_large_output_is_the_twin_though_it_goes_around_the_caches(twin, dtype):
    n = (1 << 25) // np.dtype(dtype).itemsize + 4099
    w, out = np.resize(weights(CHUNK + 1, dtype), n), offset(np.empty(n, dtype), 8)
    regularizer = penalty(twin)
    assert_same(regularizer.gradient(w, out=out), twin.gradient(w))
    assert_same(regularizer.prox(w, 0.5, out=out), twin.prox(w, 0.5))
    total = evaluate([w], [regularizer], ["w"], [out])
    assert_same(out, twin.gradient(w))
    assert_same(total, twin.value64(w))


@dtypes
@twins
@pytest.mark.parametrize(
    "special",
    [[np.nan], [np.inf], [-np.inf], [-0.0], [0.0, -0.0], [np.inf, -np.inf, np.nan], [-np.inf, 1.0, -0.0]],
    ids=str,
)
@pytest.mark.parametrize("at", [0, 40, 520])
def test_special_values_come_through_as_in_numpy(twin, dtype, special, at):
    w, base = weights(555, dtype), weights(555, dtype, seed=1)
    w[at : at + len(special)] = special
    assert_same(outcomes(penalty(twin), w, base), expected(twin, w, base))
    base[at : at + len(special)] = special[::-1]
    assert_same(outcomes(penalty(twin), w, base), expected(twin, w, base))


@dtypes
@pytest.mark.parametrize("form", ["gradient", "value_and_gradient"])
def test_a_coefficient_of_0_leaves_its_part_out(dtype, form):
    w = np.array([np.inf, -np.inf, np.nan, 2.0], dtype)

    def slope(regularizer):
        result = getattr(regularizer, form)(w)
        return result[1] if form == "value_and_gradient" else result

    assert_same(slope(fr.l1_regularizer(0.5)), np.array([0.5, -0.5, np.nan, 0.5], dtype))
    assert_same(slope(switched_off()), np.zeros(4, dtype))
    assert_same(switched_off()(w), dtype(0.0))
    assert_same(fr.l1_l2_regularizer(0.0, 0.5)(w[:2]), dtype(np.inf))
    out = w.copy()
    assert_same(switched_off().gradient(w, out=out, accumulate=True), w)
    assert_same(fr.l1_regularizer(1.0).prox(w, 0.0), w)


@dtypes
def test_gradient_of_l1_at_zero_is_zero_of_positive_sign(dtype):
    w = np.array([0.0, -0.0, 1.0, -1.0], dtype)
    assert_same(fr.l1_regularizer(0.5).gradient(w), np.array([0.0, 0.0, 0.5, -0.5], dtype))
    assert_same(fr.l2_regularizer(0.5).gradient(w), np.array([0.0, -0.0, 0.5, -0.5], dtype))


@dtypes
@pytest.mark.parametrize("size", [0, 1, 33, 5000])
def test_l2_loss(dtype, size):
    w = weights(size, dtype)
    assert_same(fr.l2_loss(w), Elastic(0.0, 1.0).value(w))


def test_values_by_hand():
    w = np.array([[3.0, -4.0], [0.0, -0.5]])
    assert fr.l2_loss(w) == 12.625
    assert fr.l1_regularizer(0.5)(w) == 3.75
    assert fr.l2_regularizer(0.5)(w) == 6.3125
    loss, slope = fr.l1_l2_regularizer(0.5, 0.25).value_and_gradient(w)
    assert loss == 6.90625
    assert slope.tolist() == [[1.25, -1.5], [0.0, -0.625]]
    assert fr.l1_l2_regularizer(0.5, 0.25).prox(w, 2).tolist() == [[4 / 3, -2.0], [0.0, 0.0]]
    assert (type(fr.l2_loss(w)), type(fr.l2_loss(w.astype(np.float32)))) == (np.float64, np.float32)


# --------------------------------------------------------------------------------------------------------------- forms
class Mine(np.ndarray):
    """A subclass, as many libraries have."""


def test_read_only_memmap(tmp_path):
    path = tmp_path / "weights"
    w = weights(5000, np.float32)
    w.tofile(path)
    mapped = np.memmap(path, np.float32, "r", shape=(50, 100))
    assert_same(fr.l2_regularizer(0.7)(mapped), Elastic(0.0, 0.7).value(w))
    assert_same(fr.l2_regularizer(0.7).gradient(mapped), Elastic(0.0, 0.7).gradient(w).reshape(50, 100))
    assert_same(fr.l1_regularizer(0.3).prox(mapped, 0.5), Elastic(0.3, 0.0).prox(w, 0.5).reshape(50, 100))


def test_subclass_as_weights_and_out():
    w, out = (weights((4, 5), np.float64, seed).view(Mine) for seed in (0, 1))
    assert_same(fr.l2_regularizer(0.7)(w), Elastic(0.0, 0.7).value(w))
    assert type(fr.l2_regularizer(0.7).gradient(w)) is np.ndarray
    assert fr.l2_regularizer(0.7).gradient(w, out=out) is out
    assert_same(np.asarray(out), Elastic(0.0, 0.7).gradient(np.asarray(w)))


def test_weights_are_never_written_but_in_place():
    w = weights(5000, np.float32)
    w.flags.writeable = False
    before = w.tobytes()
    for regularizer, _ in PENALTIES.values():
        regularizer(w)
        regularizer.value_and_gradient(w)
        if not isinstance(regularizer, fr.PseudoHuberRegularizer):
            regularizer.prox(w, 0.5)
    assert w.tobytes() == before


def test_accumulate_twice_adds_twice():
    w, out = np.ones(3), np.zeros(3)
    for _ in range(2):
        fr.l2_regularizer(0.5).gradient(w, out=out, accumulate=True)
    assert out.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("step", [0, 1, 0.1, np.float32(0.25), np.int64(2), Fraction(1, 4), np.array(0.5)], ids=repr)
def test_step_is_any_real_number(step):
    w = weights(100, np.float32)
    assert_same(fr.l1_l2_regularizer(0.3, 0.7).prox(w, step), Elastic(0.3, 0.7).prox(w, float(step)))


@dtypes
def test_prox_gives_exact_zeros_and_is_the_minimum(dtype):
    w = weights(3000, dtype)
    step, l1, l2 = 0.5, 0.3, 0.7
    z = fr.l1_l2_regularizer(l1, l2).prox(w, step)
    inside = np.abs(w) <= dtype(step * l1)
    assert inside.any() and (z[inside] == 0).all() and (z[~inside] != 0).all()
    # 0 lies in the subdifferential of step*penalty(z) + |z - w|**2 / 2.
    slack = (w - z.astype(np.float64)) / step - l2 * z.astype(np.float64)
    tolerance = 100 * np.finfo(dtype).eps
    assert np.abs(slack[~inside] - l1 * np.sign(w[~inside])).max() < tolerance * np.abs(w).max()
    assert np.abs(slack[inside]).max() <= l1 * (1 + tolerance)


@penalties
def test_gradient_agrees_with_differences_of_the_value(regularizer, twin):
    w = weights(50, np.float64)
    w[np.abs(w) < 1e-3] = 1.0  # away from the kink of |w|
    assert check_grad(regularizer, regularizer.gradient, w) < 1e-5 * np.linalg.norm(w)
    assert check_grad(lambda x: regularizer.value_and_gradient(x)[0], lambda x: regularizer.value_and_gradient(x)[1], w) < 1e-4


# -------------------------------------------------------------------------------------------------------------- anything
@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=40))
    elements = st.floats(width=np.dtype(dtype).itemsize * 8)
    w, base = (draw(hnp.arrays(dtype, shape, elements=elements)) for _ in range(2))
    order = draw(st.sampled_from("CF"))
    return w.copy(order), base.copy(order)


# No coefficient that vanishes or overflows in float32: there the twin's 0 * inf is another thing.
coefficients = st.just(0.0) | st.floats(2**-100, 2**100)


@given(arrays(), coefficients, coefficients, st.floats(0, 2**20))
def test_any_weights_and_coefficients_are_the_twin(both, l1, l2, step):
    w, base = both
    steps = (step,)
    if w.dtype == np.float32 and step * l1 > 2**127:
        steps = ()
    twin = Elastic(l1, l2)
    assert_same(outcomes(penalty(twin), w, base, steps), expected(twin, w, base, steps))


@pytest.mark.parametrize("isa", fr.get_config()["isas"])
def test_quotients_of_a_prox_are_those_of_a_division(run_python, isa):
    """In float32 they are formed by a reciprocal: of all numbers, subnormal ones too, by divisors on both sides of 2."""
    script = """
import numpy as np, fastreg as fr
rng = np.random.default_rng(0)
w = rng.integers(0, 0x7F800000, 200_000, dtype=np.uint32)
w[:50_000] %= 1 << 23                                     # subnormal
w[50_000:60_000] = np.arange(10_000) * 3 % (1 << 23)      # a sixth of every second one is a tie
w = (w | rng.integers(0, 2, w.size, dtype=np.uint32) << 31).view(np.float32)
w[:4] = 0.0, -0.0, np.nan, np.inf
for l2 in (5.0, 1.0, 0.25, 0.5, 2.0**-20, 9.0, *rng.uniform(0, 1, 30)):
    for l1 in (0.0, 1e-3):
        shrunk = np.sign(w) * np.maximum(np.abs(w) - np.float32(l1), np.float32(0))
        expected = shrunk / np.float32(1 + l2)
        found = fr.l1_l2_regularizer(l1, l2).prox(w, 1.0)
        assert np.array_equal(found, expected, equal_nan=True), (l1, l2, np.flatnonzero(found != expected)[:5])
        assert not np.signbit(found[:2]).any()
"""
    done = run_python(script, FASTREG_ISA=isa)
    assert done.returncode == 0, done.stderr
