"""Arrays in files: weights, gradients, outputs and slots that are memory maps, with the bits of arrays in memory."""

import numpy as np
import pytest
from optimizers import make, names, refused, slots_of
from regularizers import PENALTIES
from twin.inputs import weights

import fastreg as fr

SHAPE = 130, 70  # several chunks, and no multiple of a block
MODES = pytest.mark.parametrize("mode", ["r+", "c", "r"])


@pytest.fixture
def mapped(tmp_path):
    """Map an array's copy in a file: `mapped(array, mode)`."""
    numbers = iter(range(1000))

    def put(array, mode="r+"):
        path = tmp_path / f"array{next(numbers)}"
        array.ravel(order="A").tofile(path)
        order = "C" if array.flags.c_contiguous else "F"
        return np.memmap(path, array.dtype, mode, shape=array.shape, order=order)

    return put


def in_file(mapping):
    """Return what stands in the file of a map that was flushed."""
    mapping.flush()
    return np.fromfile(mapping.filename, mapping.dtype).reshape(mapping.shape, order="C" if mapping.flags.c_contiguous else "F")


def same(x, y):
    return x.dtype == y.dtype and x.tobytes() == y.tobytes()


LINES = {
    "total variation": fr.total_variation_regularizer(0.5, axis=0),
    "linf": fr.linf_regularizer(0.5, axis=1),
    "rows": fr.group_lasso_regularizer(0.5, 1),
    "columns": fr.group_lasso_regularizer(0.5, 0),
}
REGULARIZERS = {key: regularizer for key, (regularizer, _) in PENALTIES.items()} | LINES
READ = [(key, dtype) for key in REGULARIZERS for dtype in (np.float32, np.float64)]
READ += [(key, np.float16) for key in REGULARIZERS if key not in ("total variation", "linf")]  # which take no 16 bits


@pytest.mark.parametrize(("mode", "order"), [("r+", "C"), ("c", "F"), ("r", "C")])
@pytest.mark.parametrize(("key", "dtype"), READ)
def test_mapped_weights_are_read_with_the_same_bits(mapped, key, dtype, order, mode):
    w, regularizer = np.asarray(weights(SHAPE, np.float64).astype(dtype), order=order), REGULARIZERS[key]
    mapping = mapped(w, mode)
    assert same(regularizer(mapping), regularizer(w))
    for of_file, of_memory in zip(regularizer.value_and_gradient(mapping), regularizer.value_and_gradient(w), strict=True):
        assert same(of_file, of_memory)
    assert same(np.asarray(mapping), w)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("key", REGULARIZERS)
def test_results_are_written_to_a_file(mapped, key, dtype):
    w, base, regularizer = weights(SHAPE, dtype), weights(SHAPE, dtype, 1), REGULARIZERS[key]
    for accumulate in (False, True):
        out, right = mapped(base), base.copy()
        assert regularizer.gradient(mapped(w, "r"), out=out, accumulate=accumulate) is out
        assert same(in_file(out), regularizer.gradient(w, out=right, accumulate=accumulate))


@pytest.mark.parametrize("call", ["gradient", "value_and_gradient", "prox"])
def test_a_read_only_map_is_never_written(mapped, call):
    w, out = weights(SHAPE, np.float32), mapped(weights(SHAPE, np.float32, 1), "r")
    before = in_file(out)
    options = {"step": 0.5} if call == "prox" else {}
    for regularizer in (fr.l1_regularizer(0.5), LINES["rows"], LINES["total variation"]):
        with pytest.raises(ValueError, match="out is read-only and would be written to"):
            getattr(regularizer, call)(w, out=out, **options)
    with pytest.raises(ValueError, match="out is read-only and would be written to"):
        fr.constraints.non_neg().project(w, out=out)
    assert same(in_file(out), before)


def test_a_private_map_changes_no_file(mapped):
    w = weights(SHAPE, np.float32)
    mapping = mapped(w, "c")
    right = fr.l1_regularizer(0.5).prox(w, 0.5)
    assert same(np.asarray(fr.l1_regularizer(0.5).prox(mapping, 0.5, out=mapping)), right)
    assert same(in_file(mapping), w)


@names(["GradientDescent", "Adam", "RMSProp", "ProximalGradientDescent", "Ftrl"])
def test_a_step_over_maps_is_a_step_in_memory(mapped, name):
    w, g = weights(SHAPE, np.float32), weights(SHAPE, np.float32, 1)
    bias, slope = weights(90, np.float64), weights(90, np.float64, 1)
    runs = []
    for put in (np.copy, mapped):
        optimizer, arrays = make(name, average=0.5), {"w": put(w), "bias": put(bias)}
        terms = fr.regularize(arrays, [("*", fr.l1_l2_regularizer(0.25, 0.5))])
        given = {"w": (put(g), arrays["w"]), "bias": (put(slope), arrays["bias"])}
        losses = [optimizer.apply_gradients(given, terms).tobytes()]
        if put is mapped:  # slots in files, too
            for key in arrays:
                slots = {slot: mapped(optimizer.get_slot(key, slot)) for slot in optimizer.get_slot_names()}
                optimizer.set_slots(key, slots)
        losses += [optimizer.apply_gradients(given, terms).tobytes() for _ in range(2)]
        runs.append((arrays, slots_of(optimizer), losses, optimizer))
    (arrays, slots, losses, _), (files, mapped_slots, mapped_losses, optimizer) = runs
    assert losses == mapped_losses
    assert all(same(in_file(files[key]), arrays[key]) for key in arrays)
    assert {key: slot.tobytes() for key, slot in slots.items()} == {key: slot.tobytes() for key, slot in mapped_slots.items()}
    for key in arrays:
        for slot in optimizer.get_slot_names():
            assert isinstance(optimizer.get_slot(key, slot), np.memmap)
            assert same(in_file(optimizer.get_slot(key, slot)), slots[f"{key}/{slot}"])


@pytest.mark.parametrize("what", ["weights", "copy", "gradient that is cleared"])
def test_a_step_refuses_a_read_only_map_before_anything_is_written(mapped, what):
    first, second = weights(SHAPE, np.float32), weights(SHAPE, np.float32, 1)
    g, copy = weights(SHAPE, np.float32, 2), np.zeros(SHAPE, np.float16)
    read_only = {"weights": second, "copy": copy, "gradient that is cleared": g}[what]
    mapping = mapped(read_only, "r")
    second, g, copy = (mapping if x is read_only else x for x in (second, g, copy))
    optimizer = make("Adam")
    with refused(optimizer, ValueError, "is read-only and would be written to", first, second, g, copy):
        optimizer.apply_gradients(
            {"first": (g.copy(), first), "second": (g, second)}, copies={"second": copy}, zero_gradients=True
        )
    assert same(in_file(mapping), read_only)


def test_read_only_slots_are_refused(mapped):
    optimizer = make("Momentum")
    with pytest.raises(ValueError, match="read-only"):
        optimizer.set_slots("w", {"momentum": mapped(np.zeros(SHAPE, np.float32), "r")})


@MODES
def test_a_gradient_in_a_file_is_read(mapped, mode):
    g = weights(SHAPE, np.float32, 1)
    w, same_weights = weights(SHAPE, np.float32), weights(SHAPE, np.float32)
    make("Adam").apply_gradients({"w": (g, w)})
    make("Adam").apply_gradients({"w": (mapped(g, mode), same_weights)})
    assert same(w, same_weights)


def test_a_gradient_of_rows_in_files(mapped):
    values, rows = weights((40, 70), np.float32, 1), np.arange(40)[::-1] * 3 % 50
    w, same_weights = weights(SHAPE, np.float32), weights(SHAPE, np.float32)
    make("Adam").apply_gradients({"w": ((values, rows), w)})
    mapping = mapped(same_weights)
    make("Adam").apply_gradients({"w": ((mapped(values, "r"), mapped(rows, "r")), mapping)})
    assert same(in_file(mapping), w)


@pytest.mark.parametrize("where", ["state", "weights", "both"])
def test_a_run_is_restored_from_and_to_files(mapped, where):
    def run():
        arrays = {"w": weights(SHAPE, np.float32), "f": np.asfortranarray(weights(SHAPE, np.float64))}
        optimizer = make("Adam")
        optimizer.apply_gradients({key: (np.ones_like(w), w) for key, w in arrays.items()})
        return optimizer, arrays

    optimizer, arrays = run()
    state = fr.optim.save(optimizer, arrays)
    if where != "weights":
        state = {key: mapped(x, "r") if x.ndim else x for key, x in state.items()}
    other = make("Adam")
    targets = {key: np.zeros_like(w) for key, w in arrays.items()}
    if where != "state":
        targets = {key: mapped(w) for key, w in targets.items()}
    fr.optim.restore(state, other, targets)
    for key, w in arrays.items():
        assert same(in_file(targets[key]) if where != "state" else targets[key], w)
        other.apply_gradients({key: (np.ones_like(w), targets[key])})
        optimizer.apply_gradients({key: (np.ones_like(w), w)})
        assert same(np.asarray(targets[key]), w)


def test_weights_in_a_read_only_file_are_not_restored(mapped):
    arrays = {"a": weights(SHAPE, np.float32), "b": weights(SHAPE, np.float32, 1)}
    state = fr.optim.save(make("Adam"), arrays)
    targets = {"a": np.zeros(SHAPE, np.float32), "b": mapped(np.zeros(SHAPE, np.float32), "r")}
    with pytest.raises(ValueError, match="'b' is read-only"):
        fr.optim.restore(state, make("Adam"), targets)
    assert not targets["a"].any() and not targets["b"].any()


def test_a_collection_over_maps(mapped):
    arrays = {"a": weights(SHAPE, np.float32), "b": weights(90, np.float64)}
    rules = [("a", LINES["rows"]), ("b", fr.mcp_regularizer(0.5))]
    total, gradients = fr.value_and_gradients(fr.regularize(arrays, rules))
    files, outs = {key: mapped(w, "r") for key, w in arrays.items()}, {key: mapped(np.zeros_like(w)) for key, w in arrays.items()}
    found, _ = fr.value_and_gradients(fr.regularize(files, rules), out=outs)
    assert same(found, total)
    assert all(same(in_file(outs[key]), gradients[key]) for key in arrays)
    read_only = outs | {"b": mapped(np.zeros(90), "r")}
    before = in_file(outs["a"])
    with pytest.raises(ValueError, match="read-only"):
        fr.value_and_gradients(fr.regularize(files, rules), out=read_only, accumulate=True)
    assert same(in_file(outs["a"]), before)
