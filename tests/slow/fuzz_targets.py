"""What an input of `fuzz.py` is made into: calls with wrong arguments, training sessions, damaged files.

Each target reads an input by a `Draw`, and returns what came of it in a few words. What it does not expect, it lets through.
"""

import contextlib
import io
import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from constraints import KINDS, pair
from digests import STEPS
from optimizers import METRIC_RULES, POWER, VARIANTS, make, rule_of, slots_of
from public_calls import CALLS, DOCUMENTED, WRONG, World
from regularizers import PENALTIES, WITH_ARRAYS
from twin.compare import assert_same, raw
from twin.constraints import Between
from twin.forms import expected, outcomes
from twin.inputs import bits, offset
from twin.steps import Stepper

import fastreg as fr
import fastreg.compat.v1 as tf
from fastreg import kernels, launchers

T = TypeVar("T")
SIZES = (
    0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 8193,
)  # fmt: skip
SPECIAL = (0.0, -0.0, math.nan, math.inf, -math.inf, 1.0, 5e-324, -1e-310, 1e-45, 1.7e308, -3e38, 1e-160, 1e155, 65504.0)
TEXTS = (
    "2", "0", "-1", "4(x3)", "2,3(x2)", "1" * 5000, "", " 2", "2 ", "\u0663", "1e3", "share", "4097", "4096", "9" * 20, "(x2)",
)  # fmt: skip
NAMES, WRONG_NAMES, N_THREADS = list(CALLS), list(WRONG), fr.get_num_threads()
KEPT = {key: value for key, value in os.environ.items() if key not in (*launchers.VARIABLES, "FASTREG_NUM_THREADS")}


class Draw:
    """Reads an input as numbers; behind its end all are 0, which is the plainest choice."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    @property
    def is_over(self) -> bool:
        return self.at >= len(self.data)

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def below(self, n: int) -> int:
        return (self.byte() if n <= 256 else self.byte() << 8 | self.byte()) % n

    def one_of(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def chance(self, of: int) -> bool:
        """Tell true once in so many times, and never behind the end."""
        return self.below(of) == of - 1


class Wrong(AssertionError):
    """A promise that was broken."""


def check(held: object, promise: str) -> None:
    if not held:
        raise Wrong(promise)


def any_wrong(draw: Draw, world: Any) -> Any:
    return WRONG[WRONG_NAMES[draw.below(len(WRONG_NAMES))]](world)


# ---------------------------------------------------------------------------------------------------- wrong arguments
def wrong_call(draw: Draw) -> str:
    name = NAMES[draw.below(len(NAMES))]
    world = World()
    function, arguments = CALLS[name](world)
    for _ in range(1 + draw.below(2) if arguments else 0):
        what = draw.one_of(list(arguments))
        arguments[what] = array(draw) if draw.chance(4) else any_wrong(draw, world)
    before = world.state()
    try:
        function(**arguments)
    except (TypeError, ValueError, *DOCUMENTED.get(name.rpartition(".")[2], ())):
        after = world.state()
        check(before == after, f"{name} raised and has changed something")
        return "refused"
    except MemoryError:
        return "more than there is memory"
    finally:
        fr.set_num_threads(N_THREADS)
    return "taken"


# -------------------------------------------------------------------------------------------------- a training session
def numbers(draw: Draw, shape: tuple[int, ...], dtype: Any, special: bool = True) -> Any:
    size = int(np.prod(shape))
    x = bits(size, draw.byte())
    found = np.ldexp((x >> np.uint64(11)).astype(np.float64) - 2.0**52, (x & np.uint64(15)).astype(int) - 60)
    for _ in range(draw.below(3) if size and special else 0):
        found[draw.below(size)] = draw.one_of(SPECIAL)
    with np.errstate(all="ignore"):
        return found.astype(dtype).reshape(shape)


def shape_of(draw: Draw) -> tuple[int, ...]:
    kind = draw.below(5)
    if kind < 2:
        return (draw.one_of(SIZES),)
    if kind < 4:
        return draw.one_of(SIZES[:21]), draw.one_of(SIZES[:10])
    return draw.one_of(SIZES[:5]), draw.one_of(SIZES[:8]), draw.one_of(SIZES[:5])


def array(draw: Draw) -> Any:
    dtype = draw.one_of(["f8", "f4", "f2", ">f8", "i4", "c16", "O", "b1", "S3", "f8,f4"])
    found = np.zeros((draw.below(5), draw.below(4)), dtype)
    return found[::2] if draw.chance(3) else found


def lay(draw: Draw, x: Any) -> Any:
    return offset(x, draw.one_of([0, 8, 24, 56, 16, 40]) if x.itemsize == 8 else draw.one_of([0, 4, 12, 60]))


def one_penalty(draw: Draw) -> str:
    w = numbers(draw, () if draw.chance(16) else shape_of(draw), draw.one_of([np.float32, np.float64]))
    w = np.asfortranarray(w) if draw.chance(3) else w
    base = numbers(draw, w.shape, w.dtype).copy(order="C" if w.flags.c_contiguous else "F")
    kinds = [*PENALTIES, *WITH_ARRAYS]
    kind = kinds[draw.below(len(kinds))]
    regularizer, twin = PENALTIES[kind] if kind in PENALTIES else WITH_ARRAYS[kind](w)
    steps = (*STEPS, draw.byte() / 16)
    shift = draw.byte()
    with np.errstate(all="ignore"):
        right = expected(twin, w, base, steps)
    found = outcomes(regularizer, w, base, steps, lambda x: offset(x, shift % 8 * x.itemsize))
    assert_same(found, right)
    return "a penalty"


def one_projection(draw: Draw) -> str:
    shape, dtype = shape_of(draw), draw.one_of([np.float32, np.float64])
    axis = draw.one_of([0, None, -1])
    kind = draw.one_of(list(KINDS))
    constraint, twin = pair(kind, axis)
    w = numbers(draw, shape, dtype)
    with np.errstate(all="ignore"):
        right = twin(w)
    assert_same(constraint(lay(draw, w)), right)
    return "a projection"


def session(draw: Draw) -> str:
    variant = draw.one_of([v for v in VARIANTS if v != POWER])
    fr.set_num_threads(draw.one_of([1, 2, 3, 7]))
    clip = 2.0 if draw.chance(3) else None
    wild = clip is None  # a norm that overflows is measured at another scale, which the twin does not
    dtypes = [draw.one_of([np.float32, np.float64]) for _ in "ab"]
    arrays = {key: lay(draw, numbers(draw, shape_of(draw), kind, wild)) for key, kind in zip("ab", dtypes, strict=True)}
    twins = {key: w.copy() for key, w in arrays.items()}
    kinds = ["l1", "l2", "l1_l2", "sum", "off"]
    chosen = {key: PENALTIES[draw.one_of(kinds)] for key in arrays}
    if not slots_takes_l1(variant) and draw.chance(2):
        chosen["b"] = PENALTIES[draw.one_of(["mcp", "huber", "pseudo_huber", "l1_l2", "group lasso"])]
    bounds = draw.chance(3)
    terms = fr.regularize(arrays, [(key, regularizer) for key, (regularizer, _) in chosen.items()])
    limits = fr.constrain(arrays, [("a", fr.constraints.box(-0.5, 0.25))]) if bounds else None
    optimizer, stepper = make(variant, clip_norm=clip), Stepper(rule_of(variant), VARIANTS[variant], clip)
    for _ in range(1 + draw.below(4)):
        given = {key: numbers(draw, w.shape, w.dtype, wild) for key, w in arrays.items()}
        if draw.chance(3):
            refused_step(draw, optimizer, arrays, given, terms)
        with np.errstate(all="ignore"):
            right = stepper.step(
                given, twins, {key: twin for key, (_, twin) in chosen.items()}, {"a": Between(-0.5, 0.25)} if bounds else {}
            )
        pairs = {key: (lay(draw, given[key]), w) for key, w in arrays.items()}
        loss = optimizer.apply_gradients(pairs, terms, constraints=limits)
        assert_same({"loss": loss, **arrays}, {"loss": right, **twins})
        slots = {f"{key}/{slot}": x for key, held in stepper.slots.items() for slot, x in held.items()}
        assert_same(slots_of(optimizer), slots)
        if draw.chance(4):
            optimizer = resumed(optimizer, variant, clip, arrays, terms)
    return "a session"


def slots_takes_l1(variant: str) -> bool:
    return variant in METRIC_RULES or rule_of(variant).startswith("Proximal") or rule_of(variant) == "Ftrl"


def refused_step(draw: Draw, optimizer: Any, arrays: Any, given: Any, terms: Any) -> None:
    key = draw.one_of(list(arrays))
    bad = array(draw) if draw.chance(2) else any_wrong(draw, World())
    pairs = {name: (bad if name == key else given[name], w) for name, w in arrays.items()}
    before = [raw(w) for w in arrays.values()], {k: x.tobytes() for k, x in optimizer.state_dict().items()}
    kept_arrays = {name: w.copy() for name, w in arrays.items()}
    slots = optimizer._state
    saved = type(slots)(slots.iterations, {k: tuple(x.copy() for x in v) for k, v in slots.slots.items()})
    try:
        optimizer.apply_gradients(pairs, terms)
    except (TypeError, ValueError):
        after = [raw(w) for w in arrays.values()], {k: x.tobytes() for k, x in optimizer.state_dict().items()}
        check(before == after, "a refused step has changed something")
    else:  # a gradient of None, or one that fits: take the step back
        for name, w in arrays.items():
            w[...] = kept_arrays[name]
        optimizer._state = saved


def resumed(optimizer: Any, variant: str, clip: Any, arrays: Any, terms: Any) -> Any:
    state, other = fr.optim.save(optimizer, arrays, terms), make(variant, clip_norm=clip)
    fr.optim.restore(state, other, arrays, terms)
    return other


# ----------------------------------------------------------------------------------------------------- damaged files
EXPLODED: list[str] = []


class Bomb:
    def __reduce__(self) -> Any:
        return EXPLODED.append, ("code of a file was executed",)


def damaged(draw: Draw, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(draw.below(4)):
        at = draw.below(1 << 16) % max(1, len(found))
        how = draw.below(5)
        if how == 0 and found:
            found[at] ^= 1 << draw.below(8)
        elif how == 1:
            found[at : at + 1 + draw.below(8)] = bytes(draw.byte() for _ in range(draw.below(8)))
        elif how == 2:
            del found[at : at + draw.below(64)]
        elif how == 3:
            del found[at:]
        else:
            found[at:at] = found[: draw.below(64)]
    return bytes(found)


def damaged_archive(draw: Draw, arrays: dict[str, Any]) -> bytes:
    """Return an npz of arrays of which some are replaced, with members or the whole damaged."""
    file = io.BytesIO()
    level = draw.below(4)
    with zipfile.ZipFile(file, "w", draw.one_of([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, found in arrays.items():
            if draw.chance(8):
                continue
            written = np.asarray(found)
            if level == 0 and draw.chance(4):
                written = any_wrong(draw, World())
            elif level == 1 and draw.chance(4):
                written = np.array([Bomb()], object)
            member = io.BytesIO()
            try:
                np.lib.format.write_array(member, np.asanyarray(written), allow_pickle=True)
            except Exception:  # what cannot be pickled
                np.lib.format.write_array(member, np.zeros(3))
            content = member.getvalue()
            if level == 2 and draw.chance(3):
                content = damaged(draw, content)
            archive.writestr(name + ".npy", content)
    return damaged(draw, file.getvalue()) if level == 3 else file.getvalue()


def own_checkpoint(draw: Draw) -> str:
    world = World()
    optimizer, terms = world.stepped(draw.one_of(["Adam", "Momentum", "Ftrl"])), world.terms()
    state = fr.optim.save(optimizer, {"w": world.w}, terms)
    content = damaged_archive(draw, state)
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception:  # NumPy cannot even open it
        loaded = {key: any_wrong(draw, world) if draw.chance(8) else x for key, x in state.items()}
    before = world.state()
    try:
        fr.optim.restore(loaded, optimizer, {"w": world.w}, terms, strict=not draw.chance(3))
    except (TypeError, ValueError):
        check(before == world.state(), "restore raised and has changed something")
        return "a state refused"
    except MemoryError:
        return "more than there is memory"
    finally:
        check(not EXPLODED, "a file was executed")
    return "a state restored"


def tensorflow_checkpoint(draw: Draw) -> str:
    with tempfile.TemporaryDirectory() as folder, tf.Graph().as_default(), tf.Session() as sess:
        v, w = tf.get_variable("v", [3, 2]), tf.get_variable("net/w", [4], partitioner=tf.fixed_size_partitioner(2))
        sess.run(tf.global_variables_initializer())
        saver = tf.train.Saver()
        path = saver.save(sess, f"{folder}/model.ckpt", global_step=draw.below(3))
        held = [x.tobytes() for x in sess.run([v, *list(w)])]
        file, state = Path(path + ".npz"), Path(folder, "checkpoint")
        with np.load(file) as archive:
            arrays = dict(archive)
        file.write_bytes(damaged_archive(draw, arrays))
        try:
            saver.restore(sess, path)
            outcome = "a checkpoint restored"
        except (TypeError, ValueError, tf.errors.OpError) as error:
            check(str(file) in str(error) or "checkpoint" in str(error), f"the message does not name the file: {error}")
            check(held == [x.tobytes() for x in sess.run([v, *list(w)])], "a refused checkpoint has changed a variable")
            outcome = "a checkpoint refused"
        except MemoryError:
            outcome = "more than there is memory"
        check(not EXPLODED, "a file was executed")
        state.write_bytes(damaged(draw, state.read_bytes()))
        with contextlib.suppress(ValueError, tf.errors.OpError):
            tf.train.get_checkpoint_state(folder)
            tf.train.latest_checkpoint(folder)
        return outcome


def environment(draw: Draw) -> str:
    os.environ.clear()
    os.environ.update(KEPT)
    for _ in range(1 + draw.below(3)):
        name = draw.one_of([*launchers.VARIABLES, "SLURM_NODEID", "SLURM_CPUS_ON_NODE", "FASTREG_NUM_THREADS"])
        text = draw.one_of(TEXTS)
        if draw.chance(3):
            text = damaged(draw, text[:40].encode()).decode("latin-1").replace("\0", "")
        os.environ[name] = text
    try:
        with contextlib.suppress(ValueError):
            check(launchers.share()[0] >= 1, "a share is less than one thread")
        with contextlib.suppress(ImportError):
            found = kernels._environment_threads()[0]
            check(0 <= found <= kernels.MOST_THREADS, "a number of threads is out of bounds")
        with contextlib.suppress(TypeError, ValueError):
            fr.set_num_threads("share")
    finally:
        os.environ.clear()
        os.environ.update(KEPT)
        fr.set_num_threads(N_THREADS)
    return "an environment"


def guarded(target: Callable[[Draw], str]) -> Callable[[Draw], str]:
    def run(draw: Draw) -> str:
        errors = np.geterr()
        try:
            with fr.Graph().as_default():
                return target(draw)
        finally:
            EXPLODED.clear()
            fr.set_num_threads(N_THREADS)
            check(np.geterr() == errors, "NumPy's error state was left changed")

    return run


# Half of all inputs are calls and sessions.
TARGETS = [
    guarded(target)
    for target in (
        wrong_call,
        wrong_call,
        session,
        one_penalty,
        one_projection,
        own_checkpoint,
        tensorflow_checkpoint,
        environment,
    )
]
