"""Regularizers as users write them: the same fourth powers in every form the protocols allow, and a group lasso."""

import numpy as np


class Fourth:
    """sum(w**4), with a gradient."""

    def __call__(self, w):
        return np.sum(w.astype(np.float64) ** 4)

    def gradient(self, w):
        return 4 * w.astype(np.float64) ** 3


class Value:
    """With a value alone."""

    __call__ = Fourth.__call__


class OneBuffer(Fourth):
    """Its gradients all stand in the same buffer."""

    buffer = np.empty(1 << 18)

    def gradient(self, w):
        view = self.buffer[: w.size].reshape(w.shape)
        view[...] = Fourth.gradient(self, w)
        return view


class InOneGo(Fourth):
    """With value_and_gradient; it has no gradient, and notes the arrays that it was given to add to."""

    gradient = None

    def __init__(self):
        self.given = []

    def value_and_gradient(self, weights, out, accumulate):
        assert accumulate is True
        self.given.append(out)
        out += Fourth.gradient(self, weights).astype(out.dtype)
        return self(weights), out


class InOneGoAndSilent(InOneGo):
    """Gives no array back, and takes its options by any name."""

    def value_and_gradient(self, weights, **options):
        return InOneGo.value_and_gradient(self, weights, **options)[0], None


class Both(Fourth):
    """Gives value and gradient in a new array, and has a gradient that must not be asked for."""

    def gradient(self, w):
        raise AssertionError("value_and_gradient is there")

    def value_and_gradient(self, weights):
        return self(weights), Fourth.gradient(self, weights)


FORMS = {"gradient": Fourth, "one buffer": OneBuffer, "in one go": InOneGo, "silent": InOneGoAndSilent, "both": Both}


class Identity:
    """sum(w**2) / 2, whose gradient is w itself."""

    def __call__(self, w):
        return np.sum(np.square(w, dtype=np.float64)) / 2

    def gradient(self, w):
        return w


class GroupLasso:
    """scale * sum of the rows' norms; its prox makes whole rows 0."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, w):
        return self.scale * np.sum(np.sqrt(np.sum(np.square(w, dtype=np.float64), axis=1)))

    def shrunk(self, w, step):
        norms = np.sqrt(np.sum(np.square(w, dtype=np.float64), axis=1, keepdims=True))
        return np.where(norms > step * self.scale, 1 - step * self.scale / np.maximum(norms, 1e-300), 0.0) * w

    def prox(self, w, step):
        return self.shrunk(w, step)


class GroupLassoInPlace(GroupLasso):
    """Its prox fills `out` where there is one."""

    def prox(self, w, step, out=None):
        out = np.empty_like(w) if out is None else out
        out[...] = self.shrunk(w, step)
        return out


class GroupLassoSilent(GroupLasso):
    """Its prox fills `out` and returns nothing."""

    def prox(self, w, step, out):
        out[...] = self.shrunk(w, step)


class GroupLassoOverwriting(GroupLasso):
    """Its prox changes the array that it is given."""

    def prox(self, w, step):
        w[...] = self.shrunk(w, step)
        return w


PROXES = {"new": GroupLasso, "out": GroupLassoInPlace, "silent": GroupLassoSilent, "overwriting": GroupLassoOverwriting}
