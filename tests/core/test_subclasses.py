"""A subclass of a built-in regularizer that replaces value, gradient or prox is a user's own; others stay compiled."""

import numpy as np
import pytest
from twin.compare import assert_same
from twin.inputs import weights
from twin.sums import in_order

import fastreg as fr

L1, L2 = fr.l1_regularizer(0.25), fr.l2_regularizer(0.5)
Base = type(L2)


class Named(Base):
    """Replaces nothing that is computed."""

    def __repr__(self):
        return "named"


class Value(Base):
    def __call__(self, w):
        return 3 * super().__call__(w)


class Gradient(Base):
    def gradient(self, w):
        return 3 * super().gradient(w)


class Both(Value, Gradient):
    pass


class InOneGo(Base):
    def value_and_gradient(self, weights, out, accumulate):
        value, _ = super().value_and_gradient(weights, out=out, accumulate=accumulate)
        out += 1
        return value + 1, out


class Halved(Base):
    def prox(self, w, step):
        return w / 2


def made(kind):
    return kind(0.5, "mine")


def both(regularizer):
    """Return value and gradient by every way that there is; they must agree."""
    w = weights((50,), np.float64)
    terms = fr.regularize({"w": w}, [("w", regularizer)])
    value, found = fr.value_and_gradients(terms)
    slope, stepped = np.zeros_like(w), w.copy()
    total = fr.sum_regularizer([regularizer, L1])
    assert_same(total.gradient(w), fr.value_and_gradients(fr.regularize({"w": w}, [("w", total)]))[1]["w"])
    again = fr.regularize({"w": stepped}, [("w", regularizer)])
    assert fr.optim.GradientDescent(1.0).apply_gradients({"w": (slope, stepped)}, again) == value
    assert_same(stepped, w - found["w"])
    return w, value, found["w"]


@pytest.mark.parametrize(
    ("kind", "times", "slope", "more"),
    [(Named, 1, 1, 0), (Value, 3, 1, 0), (Gradient, 1, 3, 0), (Both, 3, 3, 0), (Halved, 1, 1, 0), (InOneGo, 1, 1, 1)],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_what_is_replaced_counts(kind, times, slope, more):
    w, value, gradient = both(made(kind))
    assert value == pytest.approx(times * float(L2(w)) + more)
    assert_same(gradient, slope * L2.gradient(w) + more)


def test_what_replaces_nothing_stays_compiled():
    named = made(Named)
    assert fr.regularize({"w": np.ones(3)}, [("w", named)])[0].penalty is named
    assert isinstance(fr.sum_regularizer([named, L1]), type(fr.sum_regularizer([L1, L2])))
    assert fr.regularize({"w": np.ones(3)}, [("w", made(Value))])[0].penalty is None


@pytest.mark.parametrize(
    ("kind", "right"), [(Halved, 0.0), (Both, -2.0), (Gradient, -2.0)], ids=lambda x: getattr(x, "__name__", "")
)
def test_a_proximal_step_ends_in_its_own_prox_or_takes_its_own_gradient(kind, right):
    w = np.ones(4)
    optimizer = fr.optim.ProximalGradientDescent(1.0)
    optimizer.apply_gradients({"w": (np.full(4, 1.5 if right else 1.0), w)}, fr.regularize({"w": w}, [("w", made(kind))]))
    assert w.tolist() == [right] * 4


def test_the_tensorflow_surfaces_regularizers_stay_compiled():
    tf = pytest.importorskip("fastreg.compat.v1")
    for regularizer in (tf.contrib.layers.l2_regularizer(0.5), tf.contrib.layers.l1_regularizer(0.5)):
        assert fr.regularize({"w": np.ones(3)}, [("w", regularizer)])[0].penalty is regularizer


# ---------------------------------------------------------------------------------------------------- order of addition
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sum_adds_its_values_in_one_order(dtype):
    class Own:
        def __init__(self, value):
            self.value = value

        def __call__(self, w):
            return self.value

        def gradient(self, w):
            return np.zeros_like(w)

    w = np.ones(3, dtype)
    l1 = fr.l1_regularizer(0.1)
    for order in ([Own(1e16), l1, Own(-1e16), Own(1.0)], [Own(1.0), Own(0.1), Own(0.7), l1], [Own(np.float32(0.1)), l1]):
        total = fr.sum_regularizer(order)
        own = [float(part.value) for part in order if part is not l1]
        expected = dtype(in_order([float(l1(w)), *own]))
        assert_same(total(w), expected)
        assert_same(total.value_and_gradient(w)[0], expected)
