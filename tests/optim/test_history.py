"""Each term's value as a by-product of a step, and the history of a loop."""

import builtins

import numpy as np
import pytest
from optimizers import L1, L2, PROXIMAL, VARIANTS, gradients, make, names, network
from own import Fourth

import fastreg as fr


@names(VARIANTS)
def test_a_step_gives_what_each_term_is_before_it(name):
    arrays = network()
    compiled = [L2] if name in PROXIMAL else [L1, L2, fr.mcp_regularizer(0.3)]
    terms = fr.regularize(arrays, [("a", fr.sum_regularizer([*compiled, Fourth()])), ("f", None), ("*", compiled[-1])])
    before = {term.name: float(fr.add_n([term])) for term in terms}
    given = gradients(arrays, 0)
    loss, values = make(name).apply_gradients({key: (given[key], w) for key, w in arrays.items()}, terms, per_term=True)
    assert values == before
    assert type(loss) is np.float64
    assert loss == pytest.approx(sum(before.values()), rel=1e-14)


def test_the_step_and_the_loss_are_those_without_the_values():
    runs = []
    for per_term in (False, True):
        arrays = network()
        terms, opt = fr.regularize(arrays, [("*", L2)]), make("Adam")
        given = gradients(arrays, 0)
        result = opt.apply_gradients({key: (given[key], w) for key, w in arrays.items()}, terms, per_term=per_term)
        runs.append((result[0] if per_term else result, {key: w.tobytes() for key, w in arrays.items()}))
    assert runs[0] == runs[1]


def test_terms_of_one_name_are_added():
    w, v = np.array([2.0]), np.array([4.0])
    terms = fr.regularize({"w": w}, [("w", L2)]) + fr.regularize({"w": v}, [("w", L2)])
    pairs = {"w": (np.zeros(1), w), "v": (np.zeros(1), v)}
    loss, values = fr.optim.GradientDescent(1.0).apply_gradients(pairs, terms, per_term=True)
    assert values == {"w/Regularizer/l2_regularizer:0": float(loss)}


def test_without_terms_there_are_no_values():
    loss, values = fr.optim.GradientDescent(1.0).apply_gradients({"w": (np.zeros(1), np.ones(1))}, per_term=True)
    assert (loss, values) == (0, {})


def test_a_gradient_of_rows_gives_the_values_of_its_rows():
    table = np.array([[1.0], [2.0], [3.0]])
    terms = fr.regularize({"table": table}, [("*", fr.l2_regularizer(2.0))])
    pairs = {"table": ((np.zeros((1, 1)), np.array([2])), table)}
    loss, values = fr.optim.GradientDescent(1.0).apply_gradients(pairs, terms, per_term=True)
    assert list(values.values()) == [loss] == [9.0]


# ------------------------------------------------------------------------------------------------------------- history
def test_a_name_that_comes_later_or_goes_has_gaps():
    history = fr.History()
    history.record(1, {"w": 1.0}, loss=np.float32(0.5))
    history.record(3, {"w": 2.0, "v": 3.0})
    assert (history.steps, history.names, len(history)) == ([1, 3], ["w", "loss", "v"], 2)
    np.testing.assert_array_equal(history["w"], [1, 2])
    np.testing.assert_array_equal(history["loss"], [0.5, np.nan])
    np.testing.assert_array_equal(history["v"], [np.nan, 3])


@pytest.mark.parametrize("step", [2, 1])
def test_a_step_that_does_not_rise_is_refused(step):
    history = fr.History()
    history.record(2, {"w": 1.0})
    with pytest.raises(ValueError, match="step must be above the last one, 2"):
        history.record(step, {"w": 2.0})
    assert history["w"].tolist() == [1.0]


def test_a_bad_number_leaves_the_history_as_it_was():
    history = fr.History()
    with pytest.raises(TypeError):
        history.record(1, {"w": 1.0, "v": None})
    assert (history.steps, history.names) == ([], [])


def test_the_plot_has_a_line_for_each_name(tmp_path):
    pytest.importorskip("matplotlib")
    history = fr.History()
    for step in range(1, 5):
        history.record(step, {"w": 10.0**-step, "v": 1.0})
    figure = fr.plot_history(history)
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["w", "v"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[step, 10.0**-step] for step in range(1, 5)])
    assert axes.get_yscale() == "log"
    figure.savefig(tmp_path / "history.png")


def test_the_plot_goes_into_given_axes_and_takes_any_values():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes, history = figure.subplots(), fr.History()
    assert fr.plot_history(history, axes) is figure
    history.record(1, {"w": 0.0, "v": np.nan})
    fr.plot_history(history, axes)
    assert axes.get_yscale() == "linear"


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    found = builtins.__import__

    def missing(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(f"No module named {name!r}")
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r'pip install "fastreg\[plot\]"'):
        fr.plot_history(fr.History())
