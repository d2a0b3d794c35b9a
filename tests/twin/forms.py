"""Every form in which a penalty's operations can be asked for, and the twin of each."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.penalties import Penalty

Array = NDArray[Any]
STEPS = (0.0, 0.5)


def outcomes(
    penalty: Any, w: Array, base: Array, steps: Sequence[float] = STEPS, put: Callable[[Array], Array] = np.copy
) -> dict[str, Any]:
    """Return what every form of every operation of a regularizer gives; `put` copies an array to where it shall lie."""
    found = {"value": penalty(put(w)), "gradient": penalty.gradient(put(w))}

    def gradient(name: str, x: Array, out: Array, accumulate: bool) -> None:
        assert penalty.gradient(x, out=out, accumulate=accumulate) is out
        found[f"gradient {name}"] = out

    def value_and_gradient(name: str, x: Array, out: Array | None, accumulate: bool) -> None:
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
        try:
            found[f"prox {step}"] = penalty.prox(put(w), step)
        except ValueError:  # no closed form, as the twin must say too
            continue
        found[f"prox {step} written"] = penalty.prox(put(w), step, out=put(base))
        x = put(w)
        found[f"prox {step} in place"] = penalty.prox(x, step, out=x)
    return found


def expected(penalty: Penalty, w: Array, base: Array, steps: Sequence[float] = STEPS) -> dict[str, Any]:
    """Return the twin of `outcomes`."""
    slope, total = penalty.gradient(w), penalty.value(w)
    bases = {"written": None, "added": base, "in place": None, "added in place": w}
    found = {"value": total, "gradient": slope, "value with gradient new": total, "gradient with value new": slope}
    for name, start in bases.items():
        found[f"value with gradient {name}"] = total
        found[f"gradient {name}"] = found[f"gradient with value {name}"] = penalty.gradient(w, start)
    for step in steps:
        try:
            nearest = penalty.prox(w, step)
        except ValueError:
            continue
        for name in ("", " written", " in place"):
            found[f"prox {step}{name}"] = nearest
    return found
