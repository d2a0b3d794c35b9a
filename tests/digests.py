"""What must have the same bits everywhere, row by row: `python tests/digests.py` prints this machine's digests beside the golden.

A row names its cases, what fastreg gives for them, what the twin gives, and the digest of both. A new penalty or update rule is
one more row.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
from kernel_calls import convert, evaluate, project_l1_ball, project_simplex
from optimizers import BOTH, CAUTIOUS, L1, L2, POWER, PROXIMAL, TENSORFLOW, VARIANTS, make, rule_of, slots_of
from regularizers import DTYPES, WITH_ARRAYS
from sixteen import KINDS, floats, halves, rounded, widened
from twin import compare, sixteen
from twin.constraints import Between, Constraint, Rescaled, at_most, l1_ball
from twin.forms import STEPS, expected, outcomes
from twin.inputs import SIZES, weights
from twin.lines import Linf, TotalVariation, onto_l1_ball, onto_simplex, project
from twin.penalties import L0, Elastic, Groups, Huber, Linear, LogSum, Mcp, Penalty, PseudoHuber, Scad, Sum
from twin.steps import Stepper
from twin.sums import CHUNK

import fastreg as fr

Results = Iterator[dict[str, Any]]
Put = Callable[[Any], Any]


@dataclass(frozen=True)
class Digest:
    """One row.

    Parameters
    ----------
    covers : collection of str
        The profiles or update rules whose bits are in it.
    by_kernels : callable
        ``by_kernels(cases, put)`` yields fastreg's results; `put` copies an array to where it shall lie.
    by_twin : callable or None
        ``by_twin(cases)`` yields the same in NumPy; None where not even NumPy gives the same bits.
    golden : str or None
        The digest of all cases; None without a twin.
    cases, large, small : sequence
        All; those that several threads share; those that are laid at every offset.
    named : bool
        Whether the names of the results are digested with them.
    """

    covers: frozenset[str]
    by_kernels: Callable[[Sequence[Any], Put], Results]
    by_twin: Callable[[Sequence[Any]], Results] | None
    golden: str | None
    cases: Sequence[Any]
    large: Sequence[Any]
    small: Sequence[Any]
    named: bool = True

    def of(self, results: Results) -> str:
        """Return one digest of many results."""
        return compare.digest(
            name.encode() * self.named + compare.raw(found[name])
            for found in results
            for name in (sorted(found) if self.named else found)
        )


# -------------------------------------------------------------------------------------------------------------- penalties
SHAPES = [*((size,) for size in SIZES), (), (5, 7), (3, 1, 700)]
SHARED = [(70_001,), (200_003,), (40, 41, 43)]  # large enough for several threads


def inputs(shapes):
    for shape in shapes:
        for dtype in DTYPES:
            yield weights(shape, dtype), weights(shape, dtype, seed=1)


def penalties_by_kernels(regularizers, steps, shapes, put=np.copy):
    """Yield what every operation gives over these shapes, and what the collection of them all gives."""
    for w, base in inputs(shapes):
        for regularizer in regularizers:
            yield outcomes(regularizer, w, base, steps, put) | {"value64": evaluate([put(w)], [regularizer], ["w"])}
    arrays, bases = ([put(x) for x in found] for found in zip(*inputs(shapes), strict=True))
    taken = [regularizers[i % len(regularizers)] for i in range(len(arrays))]
    total = evaluate(arrays, taken, [str(i) for i in range(len(arrays))], bases, accumulate=True)
    yield {"total": total} | {f"slope {i}": base for i, base in enumerate(bases)}


def penalties_by_twin(twins, steps, shapes):
    """Yield the same in NumPy."""
    for w, base in inputs(shapes):
        for penalty in twins:
            yield expected(penalty, w, base, steps) | {"value64": penalty.value64(w)}
    total, slopes = np.float64(0.0), {}
    for i, (w, base) in enumerate(inputs(shapes)):
        penalty = twins[i % len(twins)]
        total += penalty.value64(w)
        slopes[f"slope {i}"] = penalty.gradient(w, base)
    yield {"total": total} | slopes


def of_penalties(profile: str, regularizers: Mapping[Penalty, Any], golden: str, steps: Sequence[float] = STEPS) -> Digest:
    """Return the row of a profile: its regularizers, each with its twin; `steps` are those of the prox."""
    return Digest(
        covers=frozenset({profile}),
        by_kernels=partial(penalties_by_kernels, list(regularizers.values()), steps),
        by_twin=partial(penalties_by_twin, list(regularizers), steps),
        golden=golden,
        cases=SHAPES + SHARED,
        large=SHARED,
        small=[(31,), (513,), (CHUNK + 33,)],
    )


# ------------------------------------------------------------------------------------------------------------ whole lines
def line_arrays(cases):
    """Yield axes of every layout with the weights, a base for their gradients, and the penalties."""
    for (shape, axes, order), dtype in product(cases, DTYPES):
        w, base = (weights(shape, dtype, seed).copy(order) for seed in (0, 1))
        yield w, base, axes, [Linf(0.7, axes or None), *(TotalVariation(0.3, axis) for axis in axes[-1:])]


def lines_by_kernels(cases, put=np.copy):
    """Yield what every operation over whole lines gives."""
    for w, base, axes, twins in line_arrays(cases):
        for twin in twins:
            yield outcomes(LINE_FACTORIES[type(twin)](twin.scale, axis=twin.axis), w, base, put=put)
        yield {"simplex": project_simplex(put(w), axes, 3.0), "l1 ball": project_l1_ball(put(w), axes, 3.0)}


def lines_by_twin(cases):
    """Yield the same in NumPy."""
    for w, base, axes, twins in line_arrays(cases):
        for twin in twins:
            yield expected(twin, w, base)
        yield {"simplex": project(onto_simplex, w, axes, 3.0), "l1 ball": project(onto_l1_ball, w, axes, 3.0)}


LINE_FACTORIES = {Linf: fr.linf_regularizer, TotalVariation: fr.total_variation_regularizer}
LINES = [
    ((), (), "C"), ((0, 3), (0,), "C"), ((97,), (0,), "C"), ((4097,), (0,), "C"), ((5, 7), (0,), "C"), ((5, 7), (0,), "F"),
    ((5, 7), (1,), "C"), ((3, 1, 70), (0, 1), "F"), ((30, 4, 5), (0, 2), "C"), ((3, 3, 8, 20), (0, 1, 2), "C"),
    ((3, 3, 8, 20), (0, 1, 2), "F"), ((3, 3, 8, 20), (0, 1, 3), "C"),
]  # fmt: skip
SHARED_LINES = [((200, 90), (0,), "C"), ((90, 200), (1,), "C"), ((8, 50, 40), (1,), "F")]


def arrays_by_kernels(steps, shapes, put=np.copy):
    """Yield what every operation of the regularizers with arrays gives over these shapes."""
    for w, base in inputs(shapes):
        for make_pair in WITH_ARRAYS.values():
            regularizer, _ = make_pair(w, put)
            yield outcomes(regularizer, w, base, steps, put) | {"value64": evaluate([put(w)], [regularizer], ["w"])}


def arrays_by_twin(steps, shapes):
    """Yield the same in NumPy."""
    for w, base in inputs(shapes):
        for make_pair in WITH_ARRAYS.values():
            _, twin = make_pair(w)
            yield expected(twin, w, base, steps) | {"value64": twin.value64(w)}


# ---------------------------------------------------------------------------------------------------------------- 16 bits
NARROW = [fr.l1_l2_regularizer(0.3, 0.7), fr.mcp_regularizer(0.3, gamma=3.0), fr.group_lasso_regularizer(0.3, None)]
NARROW_TWINS = [Elastic(0.3, 0.7), Mcp(0.3, 3.0), Groups(Linear(0.3), None)]
ROUNDING = (1, 2, 3)


def narrow_inputs(shapes):
    for shape, kind in product(shapes, KINDS):
        yield kind, *(halves(weights(shape, np.float32, seed), kind) for seed in (0, 1))


def sixteen_by_kernels(shapes, put=np.copy):
    """Yield what every operation over 16-bit weights gives, widened, and weights that are rounded at random."""
    for kind, w, base in narrow_inputs(shapes):
        for regularizer in NARROW:
            yield widened(outcomes(regularizer, w, base, put=lambda x: put(x).view(x.dtype)), kind)
        out = put(w).view(w.dtype)
        convert(put(weights(w.shape, np.float32)), out, rounding=ROUNDING)
        yield {"at random": floats(out, kind)}


def sixteen_by_twin(shapes):
    """Yield the same in NumPy."""
    for kind, w, base in narrow_inputs(shapes):
        for twin in NARROW_TWINS:
            yield rounded(expected(twin, floats(w, kind), floats(base, kind)), kind)
        found = sixteen.narrow_stochastic(weights(w.shape, np.float32), kind, ROUNDING)
        yield {"at random": sixteen.widen(found, kind)}


# ----------------------------------------------------------------------------------------------------------------- groups
# Shapes with axes: the layouts, of groups that a chunk holds whole and of larger ones, in either memory order.
LOCAL = [((130, 70), (1,)), ((130, 70), (0,)), ((7, 60, 11), (0, 2)), ((7, 60, 11), (1,)), ((3, 5, 2, 7, 4), (0, 2, -1))]
SHARED_GROUPS = [((1100, 40), (0,)), ((1100, 3, 11), (0, 2))]
GROUPED = [
    *LOCAL,
    ((90, 1), None),
    ((3, 35_000), (1,)),
    ((2, 3000), (0,)),
    ((1, 300, 130), (1, 2)),
    ((2, 3, 1100, 3, 2), (2, -1)),
    *SHARED_GROUPS,
]


def grouped(cases):
    """Yield regularizers of groups with their twins, over these shapes."""
    for shape, axes in cases:
        plain = fr.group_lasso_regularizer(0.3, axes, size_power=0.5), Groups(Linear(0.3, 0.5), axes)
        three = fr.sum_regularizer([fr.sparse_group_lasso_regularizer(0.25, 0.7, axes), L2])
        for regularizer, twin in (plain, (three, Sum(Elastic(0.25, 0.5), (Groups(Linear(0.7), axes),)))):
            for w, base in inputs([shape]):
                for order in "CF":
                    yield regularizer, twin, w.copy(order), base.copy(order)


def groups_by_kernels(cases, put=np.copy):
    """Yield what a regularizer of groups gives for each of these cases."""
    for regularizer, _, *arrays in grouped(cases):
        w, base = map(put, arrays)
        found = {"value": regularizer(w), "gradient": regularizer.gradient(w), "prox": regularizer.prox(w, 0.5)}
        found["value with gradient"], found["added"] = regularizer.value_and_gradient(w, out=base, accumulate=True)
        yield found


def groups_by_twin(cases):
    """Yield the same in NumPy."""
    for _, twin, w, base in grouped(cases):
        value = twin.value(w)
        found = {"value": value, "gradient": twin.gradient(w), "prox": twin.prox(w, 0.5)}
        yield found | {"value with gradient": value, "added": twin.gradient(w, base)}


# ----------------------------------------------------------------------------------------------------------- update rules
STEPPED = {"a": ((70_001,), np.float32), "b": ((513,), np.float64), "c": ((40, 41, 43), np.float32), "d": ((90_000,), np.float64)}
ROWS = range(0, 40, 2)  # of "c"
ELASTIC = {"b": (L2, Elastic(0.0, 0.5)), "c": (L1, Elastic(0.25, 0.0)), "*": (BOTH, Elastic(0.25, 0.5))}
PROFILES = {
    "c": (fr.mcp_regularizer(0.3, gamma=3.0), Mcp(0.3, 3.0)),
    "*": (
        fr.sum_regularizer([L2, fr.mcp_regularizer(0.7, gamma=0.25)]),
        Sum(Elastic(0.0, 0.5), (Mcp(0.7, 0.25),)),
    ),
}
CONSTRAINTS = {
    "a": (fr.constraints.box(-0.25, 0.75), Between(-0.25, 0.75)),
    "b": (fr.constraints.max_norm(2.0), Rescaled(0, at_most(2.0))),
    "c": (fr.constraints.l1_ball(2.0, axis=2), l1_ball(2.0, 2)),
    "d": (fr.constraints.non_neg(), Between(0.0, np.inf)),
}

GROUPS = {
    "c": (fr.group_lasso_regularizer(0.3, -1), Groups(Linear(0.3), (-1,))),
    "b": (fr.group_lasso_regularizer(2.0, None, size_power=-0.5), Groups(Linear(2.0, -0.5), None)),
    "*": (
        fr.sum_regularizer([L2, fr.sparse_group_lasso_regularizer(0.25, 0.7, None)]),
        Sum(Elastic(0.25, 0.5), (Groups(Linear(0.7), None),)),
    ),
}
CLIP_NORM = 100.0


def rules_by_kernels(penalties, constraints, variants, put=np.copy):
    """Yield losses, weights and slots of two steps by these rules."""
    for variant in variants:
        arrays = {key: put(weights(shape, dtype)) for key, (shape, dtype) in STEPPED.items()}
        terms = fr.regularize(arrays, [(pattern, regularizer) for pattern, (regularizer, _) in penalties.items()])
        limits = [(arrays[key], constraint) for key, (constraint, _) in constraints.items()]
        optimizer = make(variant, clip_norm=CLIP_NORM)
        found = {}
        for step in (1, 2):
            pairs = {key: (put(weights(w.shape, w.dtype, step)), w) for key, w in arrays.items()}
            pairs["c"] = ((pairs["c"][0][ROWS].copy(), ROWS), arrays["c"])
            found[f"loss {step}"] = optimizer.apply_gradients(pairs, regularization=terms, constraints=limits)
        yield found | dict(sorted({**arrays, **slots_of(optimizer)}.items()))


def rules_by_twin(penalties, constraints, variants):
    """Yield the same in NumPy."""
    for variant in variants:
        arrays = {key: weights(shape, dtype) for key, (shape, dtype) in STEPPED.items()}
        twins = {key: penalties.get(key, penalties["*"])[1] for key in arrays}
        limits = {key: twin for key, (_, twin) in constraints.items()}
        stepper = Stepper(rule_of(variant), VARIANTS[variant], CLIP_NORM)
        found = {}
        for step in (1, 2):
            gradients = {key: weights(w.shape, w.dtype, step) for key, w in arrays.items()}
            gradients["c"] = gradients["c"][ROWS], np.array(ROWS)
            found[f"loss {step}"] = stepper.step(gradients, arrays, twins, limits)
        slots = {f"{key}/{slot}": array for key, held in stepper.slots.items() for slot, array in held.items()}
        yield found | dict(sorted({**arrays, **slots}.items()))


def of_rules(
    variants: Sequence[str],
    golden: str | None,
    large: Sequence[str],
    penalties: Mapping[str, tuple[Any, Penalty]] = ELASTIC,
    constraints: Mapping[str, tuple[Any, Constraint]] = MappingProxyType({}),
    named: bool = True,
) -> Digest:
    """Return the row of some update rules; `large` are those that are stepped again and again.

    Without a golden digest there is no twin either.
    """
    return Digest(
        covers=frozenset(map(rule_of, variants)),
        by_kernels=partial(rules_by_kernels, penalties, constraints),
        by_twin=partial(rules_by_twin, penalties, constraints) if golden else None,
        golden=golden,
        cases=variants,
        large=large,
        small=large,
        named=named,
    )


# -------------------------------------------------------------------------------------------------------- the mixed step
FORMAT_OF = {"a": "bfloat16", "b": "float16", "c": "float16", "d": "bfloat16"}  # of gradients and copies
SCALE, AVERAGE = 0.3, 0.875


def put_sixteen(x, put):
    return put(x.view(np.uint16)).view(x.dtype)


def mixed_by_kernels(variants, put=np.copy):
    """Yield losses, weights, slots and copies of two mixed steps by these rules."""
    for variant in variants:
        arrays = {key: put(weights(shape, dtype)) for key, (shape, dtype) in STEPPED.items()}
        copies = {key: put_sixteen(halves(np.zeros_like(w), FORMAT_OF[key]), put) for key, w in arrays.items()}
        terms = fr.regularize(arrays, [(pattern, regularizer) for pattern, (regularizer, _) in ELASTIC.items()])
        optimizer = make(variant, clip_norm=CLIP_NORM, average=AVERAGE)
        found = {}
        for step in (1, 2):
            given = {key: halves(weights(w.shape, w.dtype, step), FORMAT_OF[key]) for key, w in arrays.items()}
            pairs = {key: (put_sixteen(g, put), arrays[key]) for key, g in given.items()}
            pairs["c"] = (put_sixteen(given["c"][::2].copy(), put), ROWS), arrays["c"]
            options = {"gradient_scale": SCALE, "copies": copies, "zero_gradients": True}
            found[f"loss {step}"] = optimizer.apply_gradients(pairs, terms, **options)
        found |= {f"copy of {key}": floats(copy, FORMAT_OF[key]) for key, copy in copies.items()}
        yield found | dict(sorted({**arrays, **slots_of(optimizer)}.items()))


def mixed_by_twin(variants):
    """Yield the same in NumPy."""
    for variant in variants:
        arrays = {key: weights(shape, dtype) for key, (shape, dtype) in STEPPED.items()}
        averages = {f"{key}/average": w.copy() for key, w in arrays.items()}
        copies = {key: np.zeros(w.shape, np.float32) for key, w in arrays.items()}
        twins = {key: ELASTIC.get(key, ELASTIC["*"])[1] for key in arrays}
        stepper = Stepper(rule_of(variant), VARIANTS[variant], CLIP_NORM)
        found = {}
        for step in (1, 2):
            gradients = {
                key: floats(halves(weights(w.shape, w.dtype, step), FORMAT_OF[key]), FORMAT_OF[key], w.dtype)
                * w.dtype.type(SCALE)
                for key, w in arrays.items()
            }
            gradients["c"] = gradients["c"][ROWS], np.array(ROWS)
            found[f"loss {step}"] = stepper.step(gradients, arrays, twins)
            for key, w in arrays.items():
                touched = ROWS if key == "c" else ...
                average = averages[f"{key}/average"]
                average[touched] += (w[touched] - average[touched]) * w.dtype.type(1 - AVERAGE)
                copies[key][touched] = floats(halves(w[touched], FORMAT_OF[key]), FORMAT_OF[key])
        slots = {f"{key}/{slot}": array for key, held in stepper.slots.items() for slot, array in held.items()}
        found |= {f"copy of {key}": copy for key, copy in copies.items()}
        yield found | dict(sorted({**arrays, **slots, **averages}.items()))


MIXED = ["GradientDescent", "AdamW", "RMSProp centered momentum", "ProximalAdagrad", "Ftrl strengths"]


# ------------------------------------------------------------------------------------------------------------------ table
DIGESTS = {
    "elastic": of_penalties(
        "elastic",
        {
            Elastic(0.3, 0.0): fr.l1_regularizer(0.3),
            Elastic(0.0, 0.7): fr.l2_regularizer(0.7),
            Elastic(0.3, 0.7): fr.l1_l2_regularizer(0.3, 0.7),
        },
        golden="b28aba0bbfa78389bfb39ad013f6150604043537972e54139cd33850da7de8e3",
    ),
    "mcp": of_penalties(
        "mcp",
        {
            Mcp(0.3, 0.25): fr.mcp_regularizer(0.3, gamma=0.25),
            Mcp(0.3, 3.0): fr.mcp_regularizer(0.3, gamma=3.0),
            Mcp(2.0, 8.0): fr.mcp_regularizer(2.0, gamma=8.0),
        },
        golden="87e5e8bf59d5492296a32f315e1cbf8780288a99ecb1c07ebdce409306649946",
    ),
    "lines": Digest(
        covers=frozenset({"total_variation", "linf"}),
        by_kernels=lines_by_kernels,
        by_twin=lines_by_twin,
        golden="eb936ad222dd778a69b9a740a04be11a7b6049bbae9a655328d2963ef3695fb5",
        cases=LINES + SHARED_LINES,
        large=SHARED_LINES,
        small=[((97,), (0,), "C"), ((40, 30), (0,), "C"), ((40, 30), (0,), "F")],
    ),
    "scad": of_penalties(
        "scad",
        {
            Scad(0.3, 3.7): fr.scad_regularizer(0.3),
            Scad(0.7, 2.0625): fr.scad_regularizer(0.7, a=2.0625),
            Scad(2.0, 8.0): fr.scad_regularizer(2.0, a=8.0),
        },
        golden="1bb4bf872fcd4dafb298e6b8d675943aef80a031413612531b8984515c02e894",
        steps=(0.0, 0.5, 2.0, 3.5, 9.5),
    ),
    "l0": of_penalties(
        "l0", {L0(0.3): fr.l0_regularizer(0.3)}, golden="5089fd25bcc9caf36aa4f19b7239db2788b6daf042fd8e2580e841863a19ac83"
    ),
    "huber": of_penalties(
        "huber",
        {Huber(0.3, 0.5): fr.huber_regularizer(0.3, delta=0.5), Huber(2.0, 3.0): fr.huber_regularizer(2.0, delta=3.0)},
        golden="99d741e2d10c441ab0879c00e379b8c7e8b30836f61e15ff52bb26f9f1c448a2",
    ),
    "pseudo_huber": of_penalties(
        "pseudo_huber",
        {
            PseudoHuber(0.3, 0.5): fr.pseudo_huber_regularizer(0.3, delta=0.5),
            PseudoHuber(2.0, 3.0): fr.pseudo_huber_regularizer(2.0, delta=3.0),
        },
        golden="61927c94ba5ea4e6a2e555d4c665c735158835b3cddc33e9a4dcb8e984d11ee0",
    ),
    "log_sum": of_penalties(
        "log_sum",
        {
            LogSum(0.3, 1.0): fr.log_sum_regularizer(0.3, eps=1.0),
            LogSum(0.7, 0.01): fr.log_sum_regularizer(0.7, eps=0.01),
            LogSum(1.5, 3e-5): fr.log_sum_regularizer(1.5, eps=3e-5),
        },
        golden="346dee02bacf380810dfb6c98c9d7f1a32c214162958faecaaedfaab9ae5ff3d",
    ),
    "arrays of elements": Digest(
        covers=frozenset({"weighted", "distance", "weighted_distance"}),
        by_kernels=partial(arrays_by_kernels, STEPS),
        by_twin=partial(arrays_by_twin, STEPS),
        golden="e80ce268be799fb1033c5f975d89236d2761e26bb660d8782e3aef77ac85f616",
        cases=SHAPES + SHARED,
        large=SHARED,
        small=[(31,), (513,), (CHUNK + 33,)],
    ),
    "16 bits": Digest(
        covers=frozenset(),
        by_kernels=sixteen_by_kernels,
        by_twin=sixteen_by_twin,
        golden="caa1280ed3661e9494ffcc519f6a18f467eea363e487b17c8a7ae7edd0a271fa",
        cases=[*SHAPES[1:], *SHARED],
        large=SHARED,
        small=[(31,), (513,), (CHUNK + 33,)],
    ),
    "rules": of_rules(
        [variant for variant in TENSORFLOW["rules"] if variant != POWER],
        golden="bf1b708be9ff9d9a6bfa049b710f70bbefbfd7d040d9d41ee844b548431c2c7b",
        large=["Adam", "Momentum nesterov"],
        named=False,
    ),
    "rules with profiles": of_rules(
        [variant for variant in TENSORFLOW["rules"] if variant not in PROXIMAL] + ["ProximalGradientDescent plain"],
        golden="9e165cda0d531564664b62c76fccd65b5890af55446cc7ed6550abbf27bb68f7",
        large=["Adam", "ProximalGradientDescent plain"],
        penalties=PROFILES,
    ),
    "groups": Digest(
        covers=frozenset({"linear"}),
        by_kernels=groups_by_kernels,
        by_twin=groups_by_twin,
        golden="4c13e7ffa6566a4312aa3d697ff6cb588696ad83de883e4b9a34f5dfebfdc2fe",
        cases=GROUPED,
        large=SHARED_GROUPS,
        small=LOCAL,
    ),
    "rules with groups": of_rules(
        ["GradientDescent", "AdamW", "ProximalGradientDescent", "ProximalGradientDescent plain"],
        golden="0775c997e386072793900a31ca709f1878085f4b2f0d933c4ba3c033ceb93ec6",
        large=["ProximalGradientDescent"],
        penalties=GROUPS,
    ),
    "cautious decay": of_rules(
        list(CAUTIOUS),
        golden="016683e19af05a81a81373086b8b6d8f7406aecd558e889939e983b713fc2bbb",
        large=["AdamW cautious"],
    ),
    "rules with constraints": of_rules(
        [variant for variant in VARIANTS if variant != POWER],
        golden="0bd64110a35df25cbc815a84a7b3d45e7d0f1bb3f9a5ec28baa55b721a5d3657",
        large=["Adam", "GradientDescent"],
        constraints=CONSTRAINTS,
    ),
    "mixed steps": Digest(
        covers=frozenset(map(rule_of, MIXED)),
        by_kernels=mixed_by_kernels,
        by_twin=mixed_by_twin,
        golden="611b6cbd6c6b9ea5882682108d47820bbfccf7c01882dae544983e8d428c3757",
        cases=MIXED,
        large=["AdamW"],
        small=["AdamW"],
    ),
    "powers": of_rules([POWER], golden=None, large=[POWER]),
}


def report() -> dict[str, Any]:
    """Return the instruction set in use and the digest of every row."""
    found = {name: row.of(row.by_kernels(row.cases, np.copy)) for name, row in DIGESTS.items()}
    return {"isa": fr.get_config()["isa"], "digests": found}


if __name__ == "__main__":
    print(json.dumps(report() | {"golden": {name: row.golden for name, row in DIGESTS.items()}}, indent=1))
