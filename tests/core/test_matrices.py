"""The penalties of matrices: by their definitions, differences, the three-point inequality, and special values by hand."""

import copy
import pickle
import re

import numpy as np
import pytest
from optimizers import refused
from regularizers import dtypes
from scipy.optimize import check_grad
from twin import matrices as twin
from twin.compare import assert_same

import fastreg as fr

TWINS = {
    "orthogonal": (fr.orthogonal_regularizer(0.5), twin.orthogonal),
    "orthogonal columns": (fr.orthogonal_regularizer(0.5, mode="columns"), lambda w: twin.orthogonal(w.T)),
    "soft orthogonal": (fr.soft_orthogonal_regularizer(0.5), twin.soft_orthogonal),
    "nuclear": (fr.nuclear_regularizer(0.5), twin.nuclear),
}
kinds = pytest.mark.parametrize(("regularizer", "right"), TWINS.values(), ids=TWINS)
FACTORIES = [fr.orthogonal_regularizer, fr.soft_orthogonal_regularizer, fr.nuclear_regularizer]
factories = pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
inf, nan = np.inf, np.nan


def random(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def close(found, right, dtype=np.float64):
    np.testing.assert_allclose(
        found, right, rtol=100 * np.finfo(dtype).eps, atol=100 * np.finfo(dtype).eps * np.max(np.abs(right))
    )


# ------------------------------------------------------------------------------------------------------------ the numbers
@dtypes
@kinds
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 3), (7, 7), (9, 4), (4, 9), (60, 40)], ids=str)
def test_the_value_is_that_of_the_definition(regularizer, right, dtype, order, shape):
    w = random(shape, dtype).copy(order)
    found = regularizer(w)
    assert type(found) is dtype
    np.testing.assert_allclose(found, 0.5 * right(w.astype(np.float64)), rtol=4 * np.finfo(dtype).eps + 1e-13, atol=1e-13)
    close(regularizer.value_and_gradient(w)[0], found, dtype)


@kinds
@pytest.mark.parametrize("shape", [(2, 3), (6, 6), (7, 4), (4, 7)], ids=str)
def test_the_gradient_agrees_with_differences_of_the_value(regularizer, right, shape):
    w = random(shape, seed=3).ravel()

    def value(x):
        return float(regularizer(x.reshape(shape)))

    def gradient(x):
        return regularizer.gradient(x.reshape(shape)).ravel()

    assert check_grad(value, gradient, w) < 1e-6 * max(1.0, np.linalg.norm(gradient(w)))


@dtypes
@kinds
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(7, 4), (4, 7)], ids=str)
def test_every_form_of_a_gradient(regularizer, right, dtype, order, shape):
    w, base = random(shape, dtype).copy(order), random(shape, dtype, 1).copy(order)
    before, slope = w.tobytes(), regularizer.gradient(w)
    assert type(slope) is np.ndarray and slope.dtype == dtype and slope.flags[f"{order}_CONTIGUOUS"]
    assert w.tobytes() == before
    close(slope, regularizer.gradient(w.astype(np.float64)), dtype)
    for accumulate, right_ in ((False, slope), (True, base + slope)):
        out = base.copy(order)
        assert regularizer.gradient(w, out=out, accumulate=accumulate) is out
        close(out, right_, dtype)
        out = base.copy(order)
        value, found = regularizer.value_and_gradient(w, out, accumulate)
        assert found is out
        close(value, regularizer(w), dtype)
        close(out, right_, dtype)
        own = w.copy(order)
        regularizer.gradient(own, out=own, accumulate=accumulate)
        close(own, w + slope if accumulate else slope, dtype)


@dtypes
@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (3, 3), (9, 4), (4, 9)], ids=str)
@pytest.mark.parametrize("step", [0.25, 1.0, 4.0, 100.0])
def test_the_prox_of_the_nuclear_norm(dtype, shape, step):
    nuclear, w = fr.nuclear_regularizer(0.5), random(shape, dtype)
    z = nuclear.prox(w, step)
    expected = twin.nuclear_prox(w.astype(np.float64), step * 0.5)
    np.testing.assert_allclose(z, expected, rtol=0, atol=1e-6 if dtype is np.float32 else 1e-7)
    out, own = np.full_like(w, 9.0), w.copy()
    assert nuclear.prox(w, step, out=out) is out and nuclear.prox(own, step, out=own) is own
    assert_same(out, z)
    assert_same(own, z)
    if step == 100:
        assert (z == 0).all()


@pytest.mark.parametrize("step", [0.25, 2.0])
def test_three_points(step):
    """f(z) <= f(y) - |y - z|**2 / 2 for every y, with f what the prox minimizes."""
    nuclear, w = fr.nuclear_regularizer(0.5), random((6, 5))
    z = nuclear.prox(w, step)

    def f(y):
        return step * float(nuclear(y)) + np.sum((y - w) ** 2) / 2

    for seed in range(100):
        for y in (random((6, 5), seed=seed), z + random((6, 5), seed=seed) / 100, z * (1 + random((6, 5), seed=seed) / 100)):
            assert f(z) <= f(y) - np.sum((y - z) ** 2) / 2 + 1e-12


def test_numbers_of_public_tests():
    """PyProximal's test_norms.py, and ProximalOperators.jl's test_results.jl: NuclearNorm(1.0)."""
    nuclear = fr.nuclear_regularizer(1.0)
    z = nuclear.prox(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 1.0)
    np.testing.assert_allclose(z, [[1.4089, 1.8613, 2.3137], [3.3640, 4.4441, 5.5242]], atol=5e-5)
    x = np.arange(1.0, 10.0).reshape(3, 3)
    assert float(nuclear(x)) == pytest.approx(17.916472867168920, rel=1e-14)
    z = nuclear.prox(x, 1.0)
    expected = [
        [1.586052850795247, 1.944185442781408, 2.302318034767569],
        [3.944185442781405, 4.720927213907027, 5.497668985032647],
        [6.302318034767567, 7.497668985032650, 8.693019935297732],
    ]
    np.testing.assert_allclose(z, expected, rtol=1e-14)
    assert float(nuclear(z)) == pytest.approx(15.916472867168915, rel=1e-14)


def test_orthogonal_is_keras_formula():
    """keras.regularizers.OrthogonalRegularizer, as its documentation has it, for rows and for columns."""
    w = random((4, 6), np.float32)
    for mode, rows in (("rows", w), ("columns", w.T)):
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        product = np.abs(units @ units.T)
        n = len(rows)
        size = n * (n - 1) / 2
        loss = 0.01 * 0.5 * np.sum(product * (1 - np.eye(n))) / size
        assert float(fr.orthogonal_regularizer(mode=mode)(w)) == pytest.approx(loss, rel=1e-5)
    assert fr.orthogonal_regularizer().scale == 0.01


def test_orthogonal_by_hand():
    both = fr.orthogonal_regularizer(1.0)
    assert float(both(np.array([[3.0, 0.0], [0.0, 5.0]]))) == 0.0
    assert float(both(np.array([[1.0, 1.0], [-2.0, -2.0]]))) == pytest.approx(1.0)  # against each other is parallel, too
    assert float(fr.orthogonal_regularizer(1.0, "columns")(np.array([[1.0, 0.0], [7.0, 0.0]]))) == 0.0


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_orthogonal_depends_on_directions_alone(size):
    orthogonal, w = fr.orthogonal_regularizer(0.5), random((3, 4))
    close(orthogonal(w * size), orthogonal(w))
    close(orthogonal.gradient(w * size) * size, orthogonal.gradient(w))


@dtypes
def test_rows_of_zeros_and_single_rows(dtype):
    w = np.array([[0.0, -0.0], [1.0, 1.0], [1.0, 0.0]], dtype)
    for mode, x in (("rows", w), ("columns", w.T.copy())):
        orthogonal = fr.orthogonal_regularizer(0.5, mode)
        value, slope = orthogonal.value_and_gradient(x)
        slope = slope if mode == "rows" else slope.T
        assert float(value) == pytest.approx(0.5 * np.sqrt(0.5) / 3)
        assert (slope[0] == 0).all() and np.isfinite(slope).all() and (slope[1] != 0).any()
        for one in (np.array([[3.0, 4.0]], dtype), np.zeros((3, 2), dtype), np.zeros((0, 3), dtype), np.zeros((3, 0), dtype)):
            taken = one if mode == "rows" else one.T.copy()
            assert_same(orthogonal(taken), dtype(0.0))
            assert (orthogonal.gradient(taken) == 0).all()


@dtypes
def test_empty_matrices_and_matrices_of_zeros(dtype):
    soft, nuclear = fr.soft_orthogonal_regularizer(0.5), fr.nuclear_regularizer(0.5)
    for shape in ((0, 3), (3, 0), (0, 0), (3, 2), (2, 3)):
        w = np.zeros(shape, dtype)
        assert_same(nuclear(w), dtype(0.0))
        assert_same(nuclear.gradient(w), w)
        assert_same(nuclear.prox(w, 0.5), w)
        assert_same(soft(w), dtype(0.5 * shape[1]))
        assert_same(soft.gradient(w), w)


def test_the_gradient_of_the_nuclear_norm_at_a_lower_rank_is_of_the_least_norm():
    for dtype in (np.float32, np.float64):
        u, v = np.linalg.qr(random((6, 2), seed=1))[0], np.linalg.qr(random((5, 2), seed=2))[0]
        w = (u * [3.0, 0.5] @ v.T).astype(dtype)
        np.testing.assert_allclose(fr.nuclear_regularizer(0.5).gradient(w), 0.5 * u @ v.T, atol=10 * np.finfo(dtype).eps)


def test_a_step_of_0_leaves_a_matrix_alone_to_the_bit():
    w = random((5, 4))
    assert_same(fr.nuclear_regularizer(0.5).prox(w, 0.0), w)


@dtypes
@kinds
@pytest.mark.parametrize("special", [nan, inf, -inf])
def test_a_nan_makes_everything_nan_and_raises_nothing(regularizer, right, dtype, special):
    w = random((4, 3), dtype)
    w[1, 2] = special
    value, slope = regularizer.value_and_gradient(w)
    if np.isnan(special) or regularizer.name != "soft_orthogonal_regularizer":
        assert np.isnan(regularizer(w)) and np.isnan(value)
    else:
        assert not np.isfinite(regularizer(w))
    assert not np.isfinite(slope).all()
    if regularizer.name == "nuclear_regularizer":
        assert np.isnan(slope).all() and np.isnan(regularizer.prox(w, 0.5)).all()
        assert np.isnan(regularizer.prox(w, 0.5, out=w)).all()


def test_a_decomposition_that_fails_writes_nothing(monkeypatch):
    def fail(*arguments, **options):
        raise np.linalg.LinAlgError("SVD did not converge")

    w, out = random((4, 3)), np.full((4, 3), 9.0)
    monkeypatch.setattr(np.linalg, "svd", fail)
    nuclear = fr.nuclear_regularizer(0.5)
    for attempt in (
        lambda: nuclear.gradient(w, out=out),
        lambda: nuclear.value_and_gradient(w, out=out, accumulate=True),
        lambda: nuclear.prox(w, 0.5, out=out),
    ):
        with pytest.raises(np.linalg.LinAlgError):
            attempt()
    assert (out == 9).all()


# -------------------------------------------------------------------------------------------------------------- arguments
@kinds
@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)], ids=str)
def test_only_a_matrix_is_taken(regularizer, right, shape):
    w, out = np.ones(shape), np.full(shape, 9.0)
    calls = [lambda: regularizer(w), lambda: regularizer.gradient(w, out=out)]
    calls += [lambda: regularizer.prox(w, 0.5, out=out)] if hasattr(regularizer, "prox") else []
    for call in calls:
        with pytest.raises(ValueError, match=re.escape(f"{regularizer!r} needs weights of rank 2, got the shape {shape}; ")):
            call()
    with pytest.raises(ValueError, match="needs weights of rank 2"):
        fr.regularize({"w": w}, [("w", regularizer)])
    assert (out == 9).all()


@kinds
def test_bad_calls_are_refused_as_everywhere_and_write_nothing(regularizer, right):
    w, out = random((3, 4)), np.full((3, 4), 9.0)
    calls = [
        (lambda: regularizer([[1.0]]), TypeError, "weights must be a numpy.ndarray"),
        (lambda: regularizer.gradient(w, out=out[:2]), ValueError, "out must have the shape of weights"),
        (lambda: regularizer.gradient(w, out=out.copy("F")), ValueError, "out must have the memory order of weights"),
        (lambda: regularizer.gradient(w, accumulate=True), ValueError, "accumulate=True adds to out"),
        (lambda: regularizer.value_and_gradient(w, out=out.astype(np.float32)), TypeError, "out must have the dtype of weights"),
    ]
    if hasattr(regularizer, "prox"):
        calls += [
            (lambda: regularizer.prox(w, -1.0, out=out), ValueError, "step must be finite and at least 0"),
            (lambda: regularizer.prox(w, 0.5, out=out.T), ValueError, "out must have the shape of weights"),
        ]
    for call, error, message in calls:
        with pytest.raises(error, match=message):
            call()
    assert (out == 9).all()


@factories
@pytest.mark.parametrize(
    ("scale", "error", "message"),
    [
        (1, ValueError, "scale cannot be an integer: 1"),
        (-0.5, ValueError, "Setting a scale less than 0 on a regularizer: -0.5"),
        (inf, ValueError, "scale must be finite, got inf"),
        (None, TypeError, "scale must be a real number, got None of type NoneType"),
    ],
    ids=repr,
)
def test_a_bad_scale_is_refused_and_changes_nothing(factory, scale, error, message):
    regularizer = factory(0.5)
    for attempt in (lambda: factory(scale), lambda: setattr(regularizer, "scale", scale)):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            attempt()
    assert regularizer.scale == 0.5


def test_a_bad_mode_is_refused():
    with pytest.raises(ValueError, match=r"^mode must be 'rows' or 'columns', got 'row'$"):
        fr.orthogonal_regularizer(0.5, mode="row")


@factories
def test_a_scale_of_0_disables_and_leaves_out(factory, caplog):
    with caplog.at_level("INFO", logger="fastreg"):
        off = factory(0.0, scope="mine")
    assert caplog.messages == ["Scale of 0 disables regularizer."]
    w = np.array([[nan, inf], [-0.0, 1.0]])
    assert (off(w), off.name) == (0.0, "mine")
    assert_same(off.gradient(w), np.zeros((2, 2)))
    assert_same(off.gradient(w, out=w.copy(), accumulate=True), w)
    assert fr.regularize({"w": w}, [("w", off)]) == []
    off.scale = 0.5
    assert not off.disabled and np.isnan(off(w))


@kinds
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_compute_the_same_and_go_their_own_way(regularizer, right, duplicate):
    again = duplicate(regularizer)
    assert type(again) is type(regularizer) and again.name == regularizer.name
    close(again(random((4, 3))), regularizer(random((4, 3))))
    again.scale = 4.0
    assert regularizer.scale == 0.5
    assert repr(eval(repr(again), vars(fr))) == repr(again)


# ------------------------------------------------------------------------------------------------- collections and steps
@kinds
def test_they_enter_collections_and_other_rules_by_their_gradient(regularizer, right):
    w, g = random((4, 3)), random((4, 3), seed=1)
    terms = fr.regularize({"w": w}, [("w", regularizer)])
    total, gradients = fr.value_and_gradients(terms)
    close(float(total), regularizer(w))
    close(gradients["w"], regularizer.gradient(w))
    assert repr(regularizer) in str(fr.summary(terms))
    state = fr.optim.save(fr.optim.GradientDescent(0.5), {"w": w}, terms)
    assert state[f"strengths/w/Regularizer/{regularizer.name}/scale"] == 0.5
    right_ = w - 0.5 * (g + regularizer.gradient(w))
    fr.optim.GradientDescent(0.5).apply_gradients({"w": (g, w)}, terms)
    close(w, right_)


def test_the_step_of_proximal_gradient_descent_ends_in_the_prox():
    nuclear, w, g = fr.nuclear_regularizer(0.5), random((4, 3)), random((4, 3), seed=1)
    right = nuclear.prox(w - 0.5 * g, 0.5)
    fr.optim.ProximalGradientDescent(0.5).apply_gradients({"w": (g, w)}, fr.regularize({"w": w}, [("w", nuclear)]))
    close(w, right)
    for optimizer in (fr.optim.ProximalAdagrad(0.5), fr.optim.Ftrl(0.5)):
        terms = fr.regularize({"w": w}, [("w", nuclear)])
        with refused(optimizer, ValueError, "no closed form; use ProximalGradientDescent", w):
            optimizer.apply_gradients({"w": (g, w)}, terms)


@pytest.mark.parametrize("regularizer", [fr.orthogonal_regularizer(0.5), fr.soft_orthogonal_regularizer(0.5)], ids=repr)
def test_the_orthogonal_ones_have_no_prox_and_say_why(regularizer):
    assert not hasattr(regularizer, "prox") and not isinstance(regularizer, fr.SupportsProx)
    with pytest.raises(AttributeError, match=r"has no prox: no closed form of it is known; use its gradient$"):
        regularizer.prox(np.ones((2, 2)), 0.5)
    with pytest.raises(AttributeError, match=r"object has no attribute 'proxy'$"):
        regularizer.proxy  # noqa: B018
    w, g = random((4, 3)), random((4, 3), seed=1)
    right = w - 0.5 * (g + regularizer.gradient(w))
    fr.optim.ProximalGradientDescent(0.5).apply_gradients({"w": (g, w)}, fr.regularize({"w": w}, [("w", regularizer)]))
    close(w, right)
