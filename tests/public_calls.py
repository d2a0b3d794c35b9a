"""One valid call of every public callable, what can be passed to it by mistake, and which of these mistakes are none.

A call is tried with each of its arguments replaced by each of the WRONG things. That must be refused by a TypeError or a
ValueError which names the argument, unless LEGAL says that the argument may be such a thing.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from optimizers import METRIC_RULES, VARIANTS, make, rule_of

import fastreg as fr
from fastreg.optim import schedules

C = fr.constraints
SHAPE = (4, 3)


class Mine(np.ndarray):
    """A subclass, as many libraries have."""


class World:
    """New arrays and objects for one call. What is watched must be as before when the call is refused."""

    def __init__(self) -> None:
        memory = np.arange(1.0, 26.0) / 8
        self.memory, self.w, self.overlapping = memory, memory[:12].reshape(SHAPE), memory[1:13].reshape(SHAPE)
        self.g = memory[13:].reshape(SHAPE).copy()
        self.out = np.full(SHAPE, 9.0)
        self.graph = fr.Graph()
        self.watched: list[Any] = [self.memory, self.g, self.out, self.graph]

    def watch(self, x: Any) -> Any:
        self.watched.append(x)
        return x

    def state(self) -> list[Any]:
        """Return what can be compared of all that is watched."""
        return [_state_of(x) for x in self.watched] + [fr.get_num_threads(), np.geterr()]

    # ------------------------------------------------------------------------------------------------ what calls need
    def terms(self) -> Any:
        return self.watch(fr.regularize({"w": self.w}, [("*", self.watch(fr.l2_regularizer(0.5)))]))

    def variable(self, name: str = "v", **options: Any) -> Any:
        with self.graph.as_default():
            return self.watch(fr.get_variable(name, initializer=self.w, **options))

    def stepped(self, variant: str) -> Any:
        """Return an optimizer that has made a step."""
        optimizer = self.watch(make(variant))
        optimizer.apply_gradients({"w": (self.g, self.w)})
        return optimizer

    def within(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as called with the world's graph as the default one."""

        def called(**arguments: Any) -> Any:
            with self.graph.as_default():
                return function(**arguments)

        return called


def _state_of(x: Any) -> Any:
    found: Any = repr(vars(x)) if isinstance(x, (fr.History, fr.VariableScope)) else repr(x)
    if isinstance(x, np.ndarray):
        found = x.shape, x.dtype, x.flags.writeable, x.tobytes()
    elif isinstance(x, fr.Graph):
        held = {key: list(map(id, items)) for key, items in x._collections.items()}
        found = held, dict(x._names_in_use), dict(x.variables), dict(x.elements), x.seed, x.get_name_scope()
    elif isinstance(x, fr.optim.Optimizer):
        state = {key: array.tobytes() for key, array in x.state_dict().items()}
        found = state, repr(x.hyperparameters()), x.iterations, x.unused_slots(), x.slot_names
    elif isinstance(x, (fr.Variable, fr.PartitionedVariable)):
        found = found, np.asarray(x).tobytes(), repr(getattr(x, "regularizer", None))
    elif isinstance(x, (list, tuple)):
        found = [_state_of(item) for item in x]
    elif isinstance(x, dict):
        found = {key: _state_of(item) for key, item in x.items()}
    return found


# ---------------------------------------------------------------------------------------------------------------- mistakes
def _read_only(o: World) -> Any:
    x = o.watch(np.ones(SHAPE))
    x.flags.writeable = False
    return x


THINGS: Mapping[str, Callable[[World], Any]] = {
    "None": lambda o: None,
    "text": lambda o: "a text",
    "empty text": lambda o: "",
    "bytes": lambda o: b"bytes",
    "object": lambda o: object(),
    "empty list": lambda o: [],
    "list": lambda o: [1.0, 2.0],
    "tuple": lambda o: (0.5, "w"),
    "dict": lambda o: {"x": 0.5},
    "empty dict": lambda o: {},
    "set": lambda o: {0.5},
    "iterator": lambda o: iter([1.0, 2.0]),
    "nan": lambda o: float("nan"),
    "inf": lambda o: float("inf"),
    "-inf": lambda o: -float("inf"),
    "-1": lambda o: -1,
    "-0.5": lambda o: -0.5,
    "0.5": lambda o: 0.5,
    "3": lambda o: 3,
    "2**70": lambda o: 2**70,
    "10**400": lambda o: 10**400,
    "True": lambda o: True,
    "NumPy's False": lambda o: np.False_,
    "complex": lambda o: 1j,
    "NumPy's complex": lambda o: np.complex128(1j),
    "class": lambda o: fr.L2Regularizer,
    "factory": lambda o: fr.l2_regularizer,
    "constraint": lambda o: C.non_neg(),
    "constraint's class": lambda o: C.max_norm,
    "dtype": lambda o: np.dtype(np.float32),
    "regularizer": lambda o: fr.l2_regularizer(0.5),
    "optimizer": lambda o: fr.optim.GradientDescent(0.5),
    "graph": lambda o: fr.Graph(),
    "module": lambda o: re,
    "NumPy's text": lambda o: np.str_("a text"),
    "NumPy's float32": lambda o: np.float32(0.5),
    "NumPy's int64": lambda o: np.int64(3),
    "time": lambda o: np.datetime64("2020-01-01"),
}
ARRAYS: Mapping[str, Callable[[World], Any]] = {
    "no elements": lambda o: np.zeros((0, 3)),
    "0-d": lambda o: np.array(0.5),
    "one number": lambda o: np.array([0.5]),
    "two numbers": lambda o: np.array([0.5, 0.25]),
    "ints": lambda o: np.ones(SHAPE, int),
    "bools": lambda o: np.ones(SHAPE, bool),
    "float32": lambda o: o.watch(np.ones(SHAPE, np.float32)),
    "float16": lambda o: o.watch(np.ones(SHAPE, np.float16)),
    "long double": lambda o: np.ones(SHAPE, np.longdouble),
    "complex numbers": lambda o: np.ones(SHAPE, complex),
    "objects": lambda o: np.full(SHAPE, None),
    "texts": lambda o: np.full(SHAPE, "x"),
    "times": lambda o: np.zeros(SHAPE, "M8[s]"),
    "structs": lambda o: np.zeros(SHAPE, [("a", "f8")]),
    "big-endian": lambda o: o.watch(np.ones(SHAPE, ">f8")),
    "every second": lambda o: o.watch(np.ones((4, 6)))[:, ::2],
    "reversed": lambda o: o.watch(np.ones(SHAPE))[::-1],
    "misaligned": lambda o: np.ndarray(SHAPE, np.float64, o.watch(np.zeros(97, np.uint8)), 1),
    "broadcast": lambda o: np.broadcast_to(np.ones(3), SHAPE),
    "Fortran": lambda o: o.watch(np.ones(SHAPE, order="F")),
    "read-only": _read_only,
    "another shape": lambda o: o.watch(np.ones((3, 4))),
    "flat": lambda o: o.watch(np.ones(12)),
    "masked": lambda o: np.ma.masked_array(np.ones(SHAPE), np.zeros(SHAPE, bool)),
    "subclass": lambda o: o.watch(np.ones(SHAPE)).view(Mine),
    "the weights": lambda o: o.w,
    "overlapping": lambda o: o.overlapping,
    "nested list": lambda o: o.w.tolist(),
    "variable": lambda o: o.variable(f"given_{len(o.watched)}"),
    "another array": lambda o: o.watch(np.ones(SHAPE)),
    "NaN and infinities": lambda o: np.full(SHAPE, [np.nan, np.inf, -np.inf]),
}
WRONG = {**THINGS, **ARRAYS}

# ------------------------------------------------------------------------------------------------------------ valid calls
Example = tuple[Callable[..., Any], dict[str, Any]]
Build = Callable[[World], Example]
CALLS: dict[str, Build] = {}


def example(name: str) -> Callable[[Build], Build]:
    def keep(build: Build) -> Build:
        CALLS[name] = build
        return build

    return keep


def simple(name: str, function: Callable[..., Any], /, **arguments: Any) -> None:
    """Note a call whose arguments are numbers and texts."""
    CALLS[name] = lambda o: (function, dict(arguments))


def setter(x: Any, name: str) -> Callable[..., None]:
    return lambda value: setattr(x, name, value)


# Regularizers: the factories, and the methods and the strengths of what each makes.
FACTORIES: Mapping[str, Callable[[World], dict[str, Any]]] = {
    "l1_regularizer": lambda o: {"scale": 0.5, "scope": "s", "weights": o.g},
    "l2_regularizer": lambda o: {"scale": 0.5, "scope": "s", "weights": o.g},
    "l1_l2_regularizer": lambda o: {"scale_l1": 0.5, "scale_l2": 0.5, "scope": "s", "weights": o.g},
    "huber_regularizer": lambda o: {"scale": 0.5, "delta": 0.5, "scope": "s"},
    "pseudo_huber_regularizer": lambda o: {"scale": 0.5, "delta": 0.5, "scope": "s"},
    "l2_sp_regularizer": lambda o: {"scale": 0.5, "reference": o.g, "importance": o.watch(np.ones(SHAPE)), "scope": "s"},
    "mcp_regularizer": lambda o: {"scale": 0.5, "gamma": 3.0, "axis": 0, "scope": "s"},
    "scad_regularizer": lambda o: {"scale": 0.5, "a": 3.0, "axis": 0, "scope": "s"},
    "log_sum_regularizer": lambda o: {"scale": 0.5, "eps": 0.5, "scope": "s"},
    "l0_regularizer": lambda o: {"scale": 0.5, "scope": "s"},
    "group_lasso_regularizer": lambda o: {"scale": 0.5, "axis": 0, "size_power": 0.5, "scope": "s"},
    "sparse_group_lasso_regularizer": lambda o: {
        "scale_l1": 0.5, "scale_l21": 0.5, "axis": 0, "size_power": 0.5, "scope": "s"
    },
    "total_variation_regularizer": lambda o: {"scale": 0.5, "axis": 0, "scope": "s"},
    "linf_regularizer": lambda o: {"scale": 0.5, "axis": 0, "scope": "s"},
    "orthogonal_regularizer": lambda o: {"scale": 0.5, "mode": "columns", "scope": "s"},
    "soft_orthogonal_regularizer": lambda o: {"scale": 0.5, "scope": "s"},
    "nuclear_regularizer": lambda o: {"scale": 0.5, "scope": "s"},
    "sum_regularizer": lambda o: {"regularizer_list": [o.watch(fr.l1_regularizer(0.5))], "scope": "s"},
    "from_torch": lambda o: {"weight_decay": 0.5, "scope": "s"},
    "from_keras": lambda o: {"l1": 0.5, "l2": 0.5, "scope": "s"},
    "from_sklearn": lambda o: {"l1_ratio": 0.0, "alpha": 0.5, "n_samples": 10, "scope": "s"},
}  # fmt: skip
for _name, _arguments in FACTORIES.items():
    CALLS[_name] = lambda o, name=_name, arguments=_arguments: (getattr(fr, name), arguments(o))
simple("from_sklearn by C", fr.from_sklearn, l1_ratio=0.5, C=0.5, n_samples=10)


def _made(name: str, o: World) -> Any:
    regularizer = getattr(fr, name)(**FACTORIES[name](o) | ({"size_power": 0.0} if "group" in name else {}))
    return o.watch(regularizer)


def _own(o: World) -> Any:
    return o.watch(fr.sum_regularizer([fr.linf_regularizer(0.5)]))


REGULARIZERS: dict[str, Callable[[World], Any]] = {
    name: partial(_made, name) for name in FACTORIES if not name.startswith("from_")
} | {"CompositeSum": _own, "no_regularizer": lambda o: fr.no_regularizer}


def _operations(name: str, made: Callable[[World], Any]) -> None:
    kind = type(made(World()))
    shown = kind.__name__
    if name != "no_regularizer":
        CALLS[f"{shown}.__call__"] = lambda o: (made(o), {"weights": o.w})
    if hasattr(kind, "gradient"):
        arguments = lambda o: {"weights": o.w, "out": o.out, "accumulate": True}  # noqa: E731
        CALLS[f"{shown}.gradient"] = lambda o: (made(o).gradient, arguments(o))
        CALLS[f"{shown}.value_and_gradient"] = lambda o: (made(o).value_and_gradient, arguments(o))
    if hasattr(kind, "prox") and name not in ("pseudo_huber_regularizer",):
        CALLS[f"{shown}.prox"] = lambda o: (made(o).prox, {"weights": o.w, "step": 0.5, "out": o.out})
    for attribute in settable(kind):
        CALLS[f"{shown}.{attribute} ="] = lambda o, attribute=attribute: (
            setter(made(o), attribute), {"value": 4.0 if attribute == "a" else 0.25}
        )  # fmt: skip


def settable(kind: type) -> list[str]:
    """Return the attributes of a class that check what they are set to."""

    def checks(value: Any) -> bool:
        is_own = type(value).__module__.startswith("fastreg.") and hasattr(value, "__set__")
        return is_own or getattr(value, "fset", None) is not None

    return [name for name, value in inspect.getmembers_static(kind) if not name.startswith("_") and checks(value)]


for _name, _maker in REGULARIZERS.items():
    _operations(_name, _maker)
simple("no_regularizer", fr.no_regularizer, weights=1.0)
CALLS["l2_loss"] = lambda o: (fr.l2_loss, {"weights": o.w})

# Constraints.
CONSTRAINTS: Mapping[str, dict[str, Any]] = {
    "NonNeg": {},
    "Box": {"lower": -0.5, "upper": 0.25},
    "LInfBall": {"radius": 0.5},
    "MaxNorm": {"max_value": 0.5, "axis": 0},
    "L2Ball": {"radius": 0.5, "axis": 0},
    "UnitNorm": {"axis": 0},
    "MinMaxNorm": {"min_value": 0.25, "max_value": 0.5, "rate": 0.5, "axis": 0},
    "Simplex": {"radius": 0.5, "axis": 0},
    "L1Ball": {"radius": 0.5, "axis": 0},
}


def _constraint(name: str, arguments: dict[str, Any]) -> None:
    kind = getattr(C, name)

    def made(o: World) -> Any:
        return o.watch(kind(**arguments))

    CALLS[f"constraints.{name}()"] = lambda o: (kind, dict(arguments))
    CALLS[f"constraints.{name}.__call__"] = lambda o: (made(o), {"weights": o.w})
    CALLS[f"constraints.{name}.project"] = lambda o: (made(o).project, {"weights": o.w, "out": o.out})
    for attribute in settable(kind):
        value = arguments[attribute]
        CALLS[f"constraints.{name}.{attribute} ="] = lambda o, attribute=attribute, value=value: (
            setter(made(o), attribute), {"value": value}
        )  # fmt: skip


for _name, _values in CONSTRAINTS.items():
    _constraint(_name, _values)


# Update rules. Each class in a variant of it; what is inherited unchanged is tried in every class.
OPTIMIZERS = {rule_of(variant): variant for variant in reversed(VARIANTS) if variant not in METRIC_RULES} | {"Ftrl": "Ftrl"}


WHOLE_RULES = ("Adam", "Ftrl", "MomentumW")  # whose methods are tried; others inherit the same


class DecayedAdam(fr.optim.DecoupledWeightDecay, fr.optim.Adam):
    """A rule that a user makes of the mix-in."""


def _rule(name: str, made: Callable[[World], Any], arguments: dict[str, Any], methods: bool = True) -> None:
    kind = type(made(World()))
    options = {"clip_norm": 1.0, "check_finite": True, "average": 0.5}
    CALLS[f"{name}()"] = lambda o: (kind, arguments | options)
    for attribute in settable(kind):
        value = (arguments | options | {"iterations": 1, "centered": False}).get(attribute, getattr(made(World()), attribute))
        CALLS[f"{name}.{attribute} ="] = lambda o, attribute=attribute, value=value: (
            setter(made(o), attribute), {"value": value}
        )  # fmt: skip

    for method in ("state_dict", "get_slot_names", "hyperparameters", "unused_slots", "beta_powers"):
        if hasattr(kind, method):
            CALLS[f"{name}.{method}"] = lambda o, method=method: (getattr(made(o), method), {})
    if not methods:
        return

    def step(o: World) -> Example:
        copy, taken = o.watch(np.zeros(SHAPE, np.float16)), o.watch([(o.w, o.watch(C.box(-9.0, 9.0)))])
        given = {"gradient_scale": 0.5, "copies": {"w": copy}, "rounding": o.watch(fr.optim.StochasticRounding(1))}
        pairs = {"grads_and_variables": {"w": (o.g, o.w)}, "regularization": o.terms(), "constraints": taken}
        return made(o).apply_gradients, pairs | {"per_term": True, "zero_gradients": True} | given

    def pair(o: World) -> Example:
        optimizer = made(o)
        return lambda gradient, variable: optimizer.apply_gradients({"w": (gradient, variable)}), {
            "gradient": o.g,
            "variable": o.w,
        }

    def rows(o: World) -> Example:
        optimizer, values = made(o), o.watch(np.ones((2, 3)))
        return lambda values, indices: optimizer.apply_gradients({"w": ((values, indices), o.w)}), {
            "values": values, "indices": np.array([2, 0])
        }  # fmt: skip

    def measure(o: World) -> Example:
        pairs = {"grads_and_variables": {"w": (o.g, o.w)}, "regularization": o.terms(), "gradient_scale": 0.5}
        return made(o).measure, pairs

    def load(o: World) -> Example:
        return made(o).load_state_dict, {"state": made(o).state_dict()}

    def set_slots(o: World) -> Example:
        optimizer = made(o)
        slots = {name: o.watch(np.ones(SHAPE)) for name in optimizer.get_slot_names()}
        return optimizer.set_slots, {"variable": "w", "slots": slots}

    def get_slot(o: World) -> Example:
        optimizer = made(o)
        optimizer.average = 0.5
        optimizer.apply_gradients({"w": (o.g, o.w)})
        return optimizer.get_slot, {"variable": "w", "name": "average"}

    CALLS[f"{name}.apply_gradients"] = step
    CALLS[f"{name}.apply_gradients of a pair"] = pair
    CALLS[f"{name}.apply_gradients of rows"] = rows
    CALLS[f"{name}.measure"] = measure
    CALLS[f"{name}.step"] = lambda o: (made(o).step, {"norm": 2.0})
    CALLS[f"{name}.load_state_dict"] = load
    CALLS[f"{name}.set_slots"] = set_slots
    CALLS[f"{name}.get_slot"] = get_slot


for _name, _variant in OPTIMIZERS.items():
    _rule(f"optim.{_name}", lambda o, variant=_variant: o.stepped(variant), dict(VARIANTS[_variant]), _name in WHOLE_RULES)


def _decayed(o: World) -> Any:
    optimizer = o.watch(DecayedAdam(weight_decay=0.5))
    optimizer.apply_gradients({"w": (o.g, o.w)})
    return optimizer


_rule("optim.DecoupledWeightDecay", _decayed, {"weight_decay": 0.5, "cautious": True}, methods=False)
simple("optim.StochasticRounding()", fr.optim.StochasticRounding, seed=1)
simple("optim.StochasticRounding.key", fr.optim.StochasticRounding(1).key, step=1, name="w")


@example("optim.save")
def _save(o: World) -> Example:
    return fr.optim.save, {"optimizer": o.stepped("Adam"), "params": {"w": o.w}, "terms": o.terms()}


@example("optim.restore")
def _restore(o: World) -> Example:
    optimizer, terms = o.stepped("Adam"), o.terms()
    state = fr.optim.save(optimizer, {"w": o.w}, terms)
    return fr.optim.restore, {"state": state, "optimizer": optimizer, "params": {"w": o.w}, "terms": terms, "strict": True}


@example("optim.restore of an array")
def _restore_one(o: World) -> Example:
    optimizer, terms = o.stepped("Adam"), o.terms()
    state = fr.optim.save(optimizer, {"w": o.w}, terms)
    keys = {"weights": "weights/w", "slot": "slots/w/m", "strength": next(key for key in state if key.startswith("strengths/"))}
    keys |= {key: key for key in ("rule", "iterations", "not_saved")} | {"beta1": "hyperparameters/beta1"}

    def restore(**arrays: Any) -> None:
        fr.optim.restore(state | {keys[name]: array for name, array in arrays.items()}, optimizer, {"w": o.w}, terms)

    return restore, {name: state[key] for name, key in keys.items()}


simple("optim.schedules.constant", schedules.constant, learning_rate=0.5, warmup_steps=3)
simple(
    "optim.schedules.exponential_decay", schedules.exponential_decay,
    learning_rate=0.5, decay_steps=3, decay_rate=0.5, staircase=True, warmup_steps=3,
)  # fmt: skip
simple(
    "optim.schedules.polynomial_decay", schedules.polynomial_decay,
    learning_rate=0.5, decay_steps=3, end_learning_rate=0.25, power=2.0, cycle=True, warmup_steps=3,
)  # fmt: skip
simple("optim.schedules.cosine_decay", schedules.cosine_decay, learning_rate=0.5, decay_steps=3, alpha=0.5, warmup_steps=3)
simple("optim.schedules.piecewise_constant", schedules.piecewise_constant, boundaries=[1, 3], values=[0.5, 0.25, 0.125])
simple("optim.schedules.RateSchedule.__call__", schedules.constant(0.5, warmup_steps=2), step=1)

# Collections of one's own arrays.
CALLS["regularize"] = lambda o: (fr.regularize, {"params": {"w": o.w}, "rules": [("*", o.watch(fr.l2_regularizer(0.5)))]})
CALLS["regularize one array"] = lambda o: (
    lambda array: fr.regularize({"w": array}, [("w", fr.l2_regularizer(0.5))]),
    {"array": o.w},
)
CALLS["regularize by one rule"] = lambda o: (
    lambda pattern, regularizer: fr.regularize({"w": o.w}, [(pattern, regularizer)]),
    {"pattern": "w", "regularizer": fr.l2_regularizer(0.5)},
)
CALLS["constrain"] = lambda o: (fr.constrain, {"params": {"w": o.w}, "rules": [("*", o.watch(C.max_norm(1.0)))]})
CALLS["constrain by one rule"] = lambda o: (
    lambda pattern, constraint: fr.constrain({"w": o.w}, [(pattern, constraint)]), {"pattern": "w", "constraint": C.max_norm(1.0)}
)  # fmt: skip
CALLS["summary"] = lambda o: (fr.summary, {"terms": o.terms(), "params": {"w": o.w}})
CALLS["add_n"] = lambda o: (o.within(fr.add_n), {"inputs": o.terms(), "name": "total"})
CALLS["value_and_gradients"] = lambda o: (fr.value_and_gradients, {"terms": o.terms(), "out": {"w": o.out}, "accumulate": True})
CALLS["value_and_gradients of one array"] = lambda o: (
    lambda terms, out: fr.value_and_gradients(terms, out={"w": out}), {"terms": o.terms(), "out": o.out}
)  # fmt: skip
CALLS["Parameter.assign"] = lambda o: (o.terms()[0].variable.assign, {"value": o.g})
CALLS["Parameter.value ="] = lambda o: (setter(o.terms()[0].variable, "value"), {"value": o.g})
CALLS["Parameter.regularizer ="] = lambda o: (setter(o.terms()[0].variable, "regularizer"), {"value": fr.l1_regularizer(0.5)})
CALLS["RegularizationLoss.value"] = lambda o: (o.terms()[0].value, {})
CALLS["Total.value"] = lambda o: (fr.add_n(o.terms()).value, {})
CALLS["Summary.to_dict"] = lambda o: (fr.summary(o.terms()).to_dict, {})


@example("History.record")
def _record(o: World) -> Example:
    history = o.watch(fr.History())
    history.record(1, {"w": 0.5})
    return history.record, {"step": 2, "values": {"w": 0.25}, "loss": 0.5}


@example("plot_history")
def _plot(o: World) -> Example:
    history = o.watch(fr.History())
    history.record(1, {"w": 0.5})
    return fr.plot_history, {"history": history, "axes": None}


# The registry.
@example("get_variable")
def _get_variable(o: World) -> Example:
    o.variable("v")
    given = {"initializer": np.ones, "regularizer": fr.l2_regularizer(0.5), "trainable": True, "collections": ["mine"]}
    given |= {"partitioner": fr.fixed_size_partitioner(2), "custom_getter": _getter, "constraint": C.max_norm(1.0)}
    return o.within(fr.get_variable), {"name": "new", "shape": SHAPE, "dtype": np.float64} | given


def _getter(getter: Any, *arguments: Any, **options: Any) -> Any:
    return getter(*arguments, **options)


@example("get_variable of one array")
def _get_whole(o: World) -> Example:
    given = {"shape": SHAPE, "dtype": np.float64, "initializer": np.ones, "regularizer": fr.l2_regularizer(0.5)}
    return o.within(fr.get_variable), {"name": "new", **given, "constraint": C.max_norm(1.0)}


@example("VariableScope.get_variable")
def _scope_get_variable(o: World) -> Example:
    build = CALLS["get_variable"](o)[1]
    del build["dtype"]  # which a face over the registry may give in its own form
    return o.within(o.watch(fr.VariableScope(False)).get_variable), build | {"reuse": False}


@example("Variable()")
def _variable(o: World) -> Example:
    given = {"trainable": True, "collections": ["mine"], "regularizer": fr.l2_regularizer(0.5), "constraint": C.max_norm(1.0)}
    return o.within(fr.Variable), {"initial_value": o.g, "name": "new", "dtype": np.float64, **given}


for _attribute, _value in {"regularizer": fr.l1_regularizer(0.5), "constraint": C.non_neg()}.items():
    CALLS[f"Variable.{_attribute} ="] = lambda o, attribute=_attribute, value=_value: (
        setter(o.variable(), attribute), {"value": value}
    )  # fmt: skip
CALLS["Variable.assign"] = lambda o: (o.variable().assign, {"value": o.g})
CALLS["Variable.value ="] = lambda o: (setter(o.variable(), "value"), {"value": o.g})
CALLS["PartitionedVariable.value ="] = lambda o: (
    setter(o.variable(partitioner=fr.fixed_size_partitioner(2)), "value"), {"value": o.g}
)  # fmt: skip


@example("variable_scope()")
def _scope(o: World) -> Example:
    def enter(**arguments: Any) -> None:
        with fr.variable_scope(**arguments):
            pass

    given = {"initializer": np.ones, "regularizer": fr.l2_regularizer(0.5), "partitioner": fr.fixed_size_partitioner(2)}
    given |= {"custom_getter": _getter, "reuse": False, "dtype": np.float64, "constraint": C.max_norm(1.0)}
    return o.within(enter), {"name_or_scope": "s", "default_name": "d", **given, "auxiliary_name_scope": True}


_SCOPE_VALUES: dict[str, Any] = {"initializer": np.ones, "regularizer": fr.l2_regularizer(0.5), "dtype": np.float64}
for _attribute, _value in (_SCOPE_VALUES | {"partitioner": fr.fixed_size_partitioner(2), "custom_getter": _getter}).items():
    CALLS[f"VariableScope.set_{_attribute}"] = lambda o, attribute=_attribute, value=_value: (
        getattr(o.watch(fr.VariableScope(False)), f"set_{attribute}"), {attribute: value}
    )  # fmt: skip
CALLS["VariableScope.get_collection"] = lambda o: (o.within(fr.VariableScope(False).get_collection), {"name": "variables"})
for _method in ("trainable_variables", "global_variables", "local_variables", "reuse_variables"):
    CALLS[f"VariableScope.{_method}"] = lambda o, method=_method: (o.within(getattr(fr.VariableScope(False), method)), {})

for _function in (fr.get_regularization_losses, fr.trainable_variables, fr.global_variables):
    CALLS[_function.__name__] = lambda o, function=_function: (o.within(function), {"scope": o.variable().op_name})
CALLS["get_regularization_loss"] = lambda o: (o.within(fr.get_regularization_loss), {"scope": "v", "name": "n"})
CALLS["get_total_loss"] = lambda o: (
    o.within(fr.get_total_loss), {"add_regularization_losses": True, "name": "n", "scope": "v"}
)  # fmt: skip
CALLS["get_losses"] = lambda o: (o.within(fr.get_losses), {"scope": "v", "loss_collection": "losses"})
CALLS["add_loss"] = lambda o: (o.within(fr.add_loss), {"loss": o.terms()[0], "loss_collection": "losses"})
CALLS["apply_regularization"] = lambda o: (
    o.within(fr.apply_regularization), {"regularizer": fr.l2_regularizer(0.5), "weights_list": [o.variable()]}
)  # fmt: skip
CALLS["add_to_collection"] = lambda o: (o.within(fr.add_to_collection), {"name": "n", "value": o.g})
CALLS["add_to_collections"] = lambda o: (o.within(fr.add_to_collections), {"names": ["n", "m"], "value": o.g})
CALLS["get_collection"] = lambda o: (o.within(fr.get_collection), {"key": "variables", "scope": o.variable().op_name})
CALLS["get_collection_ref"] = lambda o: (o.within(fr.get_collection_ref), {"key": "variables"})
CALLS["set_random_seed"] = lambda o: (o.within(fr.set_random_seed), {"seed": 1})
CALLS["Graph.add_to_collection"] = lambda o: (o.graph.add_to_collection, {"name": "n", "value": o.g})
CALLS["Graph.add_to_collections"] = lambda o: (o.graph.add_to_collections, {"names": ["n", "m"], "value": o.g})
CALLS["Graph.get_collection"] = lambda o: (o.graph.get_collection, {"name": "variables", "scope": o.variable().op_name})
CALLS["Graph.get_collection_ref"] = lambda o: (o.graph.get_collection_ref, {"name": "variables"})
CALLS["Graph.clear_collection"] = lambda o: (o.graph.clear_collection, {"name": "none"})
CALLS["Graph.unique_name"] = lambda o: (o.graph.unique_name, {"name": "n", "mark_as_used": True})
CALLS["Graph.seed ="] = lambda o: (setter(o.graph, "seed"), {"value": 1})
CALLS["Graph.forget"] = lambda o: (o.graph.forget, {"element": o.variable()})
for _method in ("as_default", "get_all_collection_keys", "get_name_scope"):
    CALLS[f"Graph.{_method}"] = lambda o, method=_method: (getattr(o.graph, method), {})


@example("Graph.name_scope")
def _name_scope(o: World) -> Example:
    def enter(name: Any) -> None:
        with o.graph.name_scope(name):
            pass

    return enter, {"name": "n"}


CALLS["Graph()"] = lambda o: (fr.Graph, {})
CALLS["History()"] = lambda o: (fr.History, {})
simple("glorot_uniform_initializer", fr.glorot_uniform_initializer, seed=1)
simple("fixed_size_partitioner", fr.fixed_size_partitioner, num_shards=2, axis=0)
simple("variable_axis_size_partitioner", fr.variable_axis_size_partitioner, max_shard_bytes=64, axis=0, max_shards=2)
simple("min_max_variable_partitioner", fr.min_max_variable_partitioner, max_partitions=2, axis=0, min_slice_size=64)
for _function in (fr.get_config, fr.get_default_graph, fr.get_num_threads, fr.get_variable_scope, fr.reset_default_graph):
    CALLS[_function.__name__] = lambda o, function=_function: (function, {})
CALLS["show_config"] = lambda o: (fr.show_config, {})


@example("set_num_threads")
def _threads(o: World) -> Example:
    return fr.set_num_threads, {"n": fr.get_num_threads()}


# ------------------------------------------------------------------------------------------------------ what is no mistake
ANY = frozenset(WRONG)
FLAG = frozenset({"True", "NumPy's False"})
FRACTION = frozenset({"0.5", "NumPy's float32"})
WHOLE = frozenset({"3", "NumPy's int64"})
LARGE = frozenset({"2**70"})
NUMBER = FRACTION | WHOLE | LARGE
TEXT = frozenset({"text", "NumPy's text"})
SCOPE = TEXT | {"None", "empty text"}
NONE = frozenset({"None"})
AXIS = WHOLE | {"-1"}
FUNCTIONS = frozenset({"factory", "constraint", "regularizer"})  # whether they fit is found when they are called
CLASSES = frozenset({"class", "constraint's class"})
LIKE = frozenset({"another array", "subclass", "the weights", "variable", "NaN and infinities"})  # of the shape and the dtype
READ = LIKE | {"read-only", "overlapping"}
ALONE = READ | {"another shape", "Fortran", "flat", "float32", "no elements", "one number", "two numbers"}
FOR_ELEMENTS = ALONE - {"NaN and infinities"} | {"0-d", "float16"}
VECTORS = frozenset({"flat", "no elements", "one number", "two numbers"})
COPIED = READ | {"Fortran", "broadcast", "every second", "reversed", "misaligned", "nested list", "big-endian"}
CAST = COPIED | {"bools", "ints", "float16", "float32", "long double"}
INITIAL = CAST | {"another shape", "flat", "no elements", "one number", "two numbers", "list", "empty list"}
MATRICES = "(Orthogonal|SoftOrthogonal|Nuclear)Regularizer"
OF_LINES = "(TotalVariation|Linf)Regularizer"
OF_GROUPS = "(GroupLasso|SparseGroupLasso|MCP|SCAD)Regularizer"
WITH_ELEMENTS = "(L1|L2|L1L2|L2SP)Regularizer"
KEY = ANY - {"empty list", "list", "dict", "empty dict", "set", "constraint", "nested list", *(set(ARRAYS) - {"variable"})}

# The first pattern that matches "call: argument" decides; what is set is named by its attribute.
LEGAL: list[tuple[str, frozenset[str]]] = [
    # flags and numbers
    (r".*: (accumulate|check_finite|cautious|use_nesterov|staircase|cycle|trainable|mark_as_used|per_term|strict)", FLAG),
    (r".*: (zero_gradients|add_regularization_losses)", FLAG),
    (r"optim\.RMSProp\.centered =: centered", frozenset({"NumPy's False"})),
    (r".*: centered", FLAG),
    (r".*: auxiliary_name_scope", frozenset({"True"})),
    (r"from_sklearn: l1_ratio", frozenset()),  # Ridge's is 0
    (r"optim.*an array: (strength|beta1)", FRACTION | {"0-d"}),
    (r".*: (scale|scale_l1|scale_l2|scale_l21|l1_ratio|rate|min_value|beta1|beta2)", FRACTION),
    (r"optim.*: average", FRACTION | NONE),
    (r".*: clip_norm", NUMBER | NONE),
    (r".*: norm", NUMBER | NONE | {"nan", "inf"}),
    (r".*: size_power", FRACTION | {"-0.5"}),
    (r".*: a", WHOLE | LARGE),
    (r".*: lower", frozenset({"-0.5", "-1", "-inf"})),
    (r".*: upper", NUMBER | {"-0.5", "10**400", "inf"}),
    (r".*: momentum", NUMBER | {"-0.5", "-1"}),
    (r".*: learning_rate_power", frozenset({"-0.5", "-1"})),
    (r"optim\.schedules.*: learning_rate", NUMBER),
    (r"from_torch: weight_decay", NUMBER),
    (r".*: (learning_rate|weight_decay)", NUMBER | FUNCTIONS | CLASSES | {"empty list"}),
    (r".*: l[12]_(shrinkage_)?regularization_strength", NUMBER | FUNCTIONS | CLASSES),
    (r".*: (delta|gamma|eps|l1|l2|alpha|C|max_value|radius|decay|epsilon|initial_accumulator_value)", NUMBER),
    (r".*: (decay_rate|end_learning_rate|power|gradient_scale)", NUMBER),
    (r".*\.prox: step", NUMBER | {"0-d"}),
    (r"from_sklearn: n_samples", WHOLE | NONE),
    (r".*: (n_samples|warmup_steps|decay_steps|num_shards|max_shard_bytes|max_partitions|min_slice_size)", WHOLE),
    (r".*: (iterations|n|step)", WHOLE),
    (r".*: max_shards", WHOLE | NONE),
    (r"optim\.StochasticRounding\(\): seed", WHOLE),
    (r".*: seed", WHOLE | NONE),
    (r"(total_variation_regularizer|.*partitioner): axis", AXIS),
    (r".*: axis", AXIS | NONE),
    (r"History\.record: loss", NUMBER | FLAG | {"-0.5", "-1", "-inf", "inf", "nan", "0-d"}),
    (r"History\.record: values", frozenset({"None", "dict", "empty dict"})),
    # texts and keys
    (r"VariableScope\.set_.*|variable_scope.*: (initializer|regularizer|partitioner|custom_getter|dtype|constraint)", ANY),
    # (kept as defaults, and checked where a variable is made of them)
    (r".*_regularizer: scope|from_.*: scope", TEXT | NONE),
    (r".*: scope", SCOPE),
    (r"Graph\.name_scope: name", frozenset({"None", "empty text"})),  # the texts have a blank in them, which no scope may
    (r"variable_scope.*: name_or_scope", frozenset({"None", "empty text"})),
    (r"variable_scope.*: default_name", SCOPE),
    (r"(get_variable.*|Variable\(\)|VariableScope\.get_variable): name", frozenset()),
    (r"add_n: name", TEXT | NONE),
    (r"(Graph\.unique_name|get_regularization_loss|get_total_loss): name", TEXT),
    (r"optim\.StochasticRounding\.key: name", frozenset({"text"})),
    (r"(get_collection.*|add_to_collection|Graph.*|VariableScope\.get_collection): (name|key)", KEY),
    (r".*: (key|loss_collection)", KEY),
    (
        r".*add_to_collections: names",
        TEXT | VECTORS | {"empty text", "empty list", "list", "tuple", "set", "iterator"},
    ),
    (r".*: collections", frozenset({"None", "empty list", "list", "tuple", "set"})),
    (r".*add_to_.*: value|add_loss: loss|no_regularizer: weights", ANY),  # a collection holds anything
    (r"Graph\.forget: element", frozenset({"variable"})),
    # arrays
    (r"optim.*rows: .*", frozenset()),
    (r"optim.*: gradient", LIKE - {"the weights"} | {"float16", "read-only"}),
    (r"optim.*set_slots: variable", TEXT | {"empty text", "variable"}),
    (r"optim.*get_slot: variable", frozenset()),
    (r"optim.*: variable", LIKE | {"overlapping"}),
    (r"CompositeSum\.__call__: weights", ALONE | {"0-d"}),
    (rf"{OF_LINES}\.__call__: weights", ALONE),
    (rf"{OF_GROUPS}\.__call__: weights", ALONE | {"float16"}),
    (rf"{MATRICES}\.__call__: weights", READ | {"another shape", "Fortran", "float32", "no elements"}),
    (rf"{WITH_ELEMENTS}\.__call__: weights", READ),
    (r"\w+Regularizer\.__call__: weights|l2_loss: weights", ALONE | {"0-d", "float16"}),
    (r"constraints\.(Box|NonNeg|LInfBall)\.__call__: weights", ALONE | {"0-d"}),
    (r"constraints\.\w+\.__call__: weights", ALONE),
    (r".*_regularizer: (weights|importance)", FOR_ELEMENTS | NONE),
    (r".*_regularizer: reference", FOR_ELEMENTS),
    (r"optim.*an array: weights", COPIED - {"big-endian", "variable"} | {"masked", "variable"}),
    (r"optim.*an array: slot", COPIED - {"big-endian"} | {"masked"}),
    (r"optim.*an array: iterations", WHOLE),
    (r".*: weights", READ),
    (r"value_and_gradients of one array: out", LIKE),
    (r".*\.(prox|project): out", LIKE | NONE),
    (r"value_and_gradients: out", frozenset()),
    (r".*: out", LIKE),
    (r"regularize one array: array", ALONE | {"0-d", "float16"}),
    (r".*(assign|value =): value", CAST),
    (r"Variable\(\): initial_value", INITIAL),
    (r"get_variable of one array: initializer", NONE),
    (r"VariableScope\.get_variable: initializer", COPIED - {"big-endian"} | NONE | {"float32"}),
    (r".*get_variable: initializer", COPIED - {"big-endian"} | NONE),
    # functions
    (r".*(rule|get_variable|Variable|Parameter|regularization).*: regularizer", NONE | {"regularizer"}),
    (r".*: constraint", NONE | FUNCTIONS),
    (r".*get_variable: (custom_getter|partitioner)", NONE),
    # collections and objects
    (r"optim\.restore: terms", frozenset()),
    (r"optim.*: (regularization|terms)", NONE | {"empty list"}),
    (r"optim.*: constraints", NONE | {"empty list", "no elements"}),
    (r"(summary|value_and_gradients.*): terms", frozenset({"empty list"})),
    (r"optim.*: copies", frozenset({"None", "empty dict"})),
    (r"optim.*: rounding", NONE),
    (r"(regularize|constrain): rules|sum_regularizer: regularizer_list", frozenset({"empty list", "no elements"})),
    (r"summary: params", frozenset({"None", "dict", "empty dict", "empty list", "nested list", "no elements"})),
    (r"optim\.save: params", frozenset({"empty dict", "empty list", "no elements"})),
    (r"optim\.save: optimizer", frozenset({"optimizer"})),
    (r"plot_history: axes", NONE),
    (r".*get_variable.*: dtype|Variable\(\): dtype", frozenset({"None", "dtype", "variable", "NumPy's float32"})),
    (r".*get_variable.*: shape", WHOLE | {"True"}),
    (r"variable_scope.*: reuse", FLAG | NONE),
    (r".*: reuse", FLAG - {"True"} | NONE),
    (r"apply_regularization: weights_list", frozenset({"variable"})),  # read as the list of its rows
]  # fmt: skip

# What a message may call an argument, where not by its name.
SAYS: list[tuple[str, str]] = [
    (r".*\.get_slot: .*", "slots?|variable|name"),
    (r".*: scale_\w+", "scale"),
    (r".*: regularizer", "regularizers?"),
    (r".*: (name|names|key|loss_collection|collections)", "collections?|scope|string"),
    (
        r".*: initializer",
        "initial value|initializer|must be|arguments?|dimensions",
    ),  # a function of the user's own is called, and may raise
    (r".*: custom_getter", "custom_getter|keyword argument"),
    (r".*: initial_value", "initial value|new|arguments?"),
    (r".*: name_or_scope", "scope"),
    (r".*: dtype", "data type"),
    (r".*: partitioner", "Partitioner|keyword argument"),
    (r"optim.*: (regularization|terms)", "terms"),
    (r"optim.*: (grads_and_variables|gradient|variable|values|indices)", "gradients?|variable|row indices"),
    (r"optim.*: params", "variable|weights"),
    (r".*: (params|array|pattern|rules)", r"\w+ must be|names|variable"),
    (r"optim.*: slot", "slots"),
    (r"optim.*: strength", "strengths|scale"),
    (r"optim.restore: optimizer", "hyperparameters"),
    (r".*: (shape|weights_list)", "Shape|weights|dimensions"),
]

# What else a method may raise, by its documentation.
DOCUMENTED: Mapping[str, tuple[type[Exception], ...]] = {
    "get_slot": (KeyError,),
    "value_and_gradients": (KeyError,),
    "reset_default_graph": (AssertionError,),
    "plot_history": (ImportError,),
}

# What is public and has no call above.
NOT_CALLED: list[tuple[str, str]] = [
    (r"(Gradients|Terms)(\(\)|\..*)", "fastreg makes them; their methods are those of dict and list"),
    (
        r"(\w+Regularizer|Parameter|PartitionedVariable|RegularizationLoss|Summary|SummaryRow|Total|CompositeSum)\(\)",
        "fastreg makes them",
    ),
    (r"optim\.schedules\.RateSchedule\(\)|VariableScope\(\)", "fastreg makes them"),
    (r"(Regularizer|Supports\w+)(\(\)|\..*)", "protocols"),
    (r".*\.__[gs]etitem__", "the array's, or that of a dict of names"),
    (r"RegularizationLoss\.over", "the kernels' own constructor"),
    (r"Graph\.(release_scope|withdraw)", "fastreg's own, for names that the graph has just given"),
    (r"optim\.\w+\.(at_names|at_step|decays|initial_slots|rates|step_constants|step_rate)", "a subclass overrides or asks them"),
    (
        r"Variable\.(bind_initializer|collection_keys|partitioned_class|partitioner_arguments|register)",
        "a subclass overrides them",
    ),
    (r"constraints\.\w+\.(acts_within_rows|axes|check|limits|rescaling)", "update rules ask them"),
    (r"constraints\.(Bounds|Constraint|WeightConstraint).*|optim\.Optimizer\(\)", "bases and types"),
    (r"GraphKeys\(\)", "a list of names"),
]


def argument_name(call: str, argument: str) -> str:
    """Return what an argument is called: that of a setter by its attribute."""
    return call.rpartition(".")[2][:-2] if call.endswith(" =") and not call.endswith(".value =") else argument


def decided(table: list[tuple[str, Any]], call: str, argument: str, default: Any) -> Any:
    """Return what a table says of an argument."""
    said = f"{call}: {argument_name(call, argument)}"
    return next((value for pattern, value in table if re.fullmatch(pattern, said)), default)
