"""What `summary` shows: what every rule decided, how strong each term is, and what is left out and why."""

import copy
import json
import math
import pickle
import re

import numpy as np
import pytest

import fastreg as fr


class Named:
    def __call__(self, w):
        return float(np.abs(w).sum())


class Printed(Named):
    def __repr__(self):
        return "<b>own & printed</b>"


@pytest.fixture
def params():
    rng = np.random.default_rng(0)
    return {
        "encoder/in_proj": rng.normal(size=(4, 3)).astype(np.float32),
        "encoder/in_proj_bias": np.array([0.0, 2.0, 0.0, -2.0]),
        "bias": np.ones(2),
        "counts": np.array([3, 0, 4]),
    }


RULES = [("*/*_bias", None), ("encoder/*", fr.l1_l2_regularizer(0.25, 0.5))]


def rows_of(table):
    return {row.name: row for row in table.rows}


def test_a_line_says_which_rule_decided_and_how_strong_the_term_is(params):
    terms = fr.regularize(params, [("encoder/in_proj", fr.l2_regularizer(0.5)), ("bias", fr.l1_regularizer(0.25))])
    table = fr.summary(terms)
    row = rows_of(table)["encoder/in_proj"]
    assert (row.shape, row.dtype, row.rule) == ((4, 3), "float32", "encoder/in_proj")
    assert (row.regularizer, row.reason) == ("l2_regularizer(0.5)", None)
    w = params["encoder/in_proj"].astype(np.float64)
    assert row.penalty == pytest.approx(0.25 * (w**2).sum(), rel=1e-14)
    assert row.norm == pytest.approx(math.sqrt((w**2).sum()), rel=1e-14)
    assert row.share == row.penalty / (row.penalty + 0.5)
    assert table.total == float(fr.add_n(terms[:1])) + 0.5


def test_what_is_left_out_has_its_reason(params):
    rows = rows_of(fr.summary(fr.regularize(params, RULES)))
    assert list(rows) == ["encoder/in_proj", "encoder/in_proj_bias", "bias", "counts"]
    assert (rows["encoder/in_proj_bias"].rule, rows["encoder/in_proj_bias"].reason) == ("*/*_bias", "left out by its rule")
    assert (rows["bias"].rule, rows["bias"].reason) == (None, "no rule matches")
    assert rows["bias"].penalty is None
    assert (rows["encoder/in_proj_bias"].zeros, rows["encoder/in_proj_bias"].size) == (2, 4)
    assert rows["counts"].norm == 5


def test_a_pattern_that_misses_a_bias_shows():
    """The patterns of the README's warning: each leaves one bias regularized, and the table says so."""
    params = {"attention.in_proj_bias": np.ones(3), "attention.out.bias": np.ones(3), "bias": np.ones(1), "w": np.ones(2)}
    rows = rows_of(fr.summary(fr.regularize(params, [("*.bias", None), ("*", fr.l2_regularizer(0.5))])))
    assert [name for name, row in rows.items() if row.reason is None] == ["attention.in_proj_bias", "bias", "w"]


def test_given_params_are_those_that_are_looked_for(params):
    terms = fr.regularize(params, RULES)
    later = params | {"head": np.zeros((2, 0)), "scalar": np.float32(-3)}
    rows = rows_of(fr.summary(terms, later))
    assert rows["head"].reason == rows["scalar"].reason == "no term"
    assert (rows["scalar"].shape, rows["scalar"].norm) == ((), 3)
    assert (rows["head"].norm, rows["head"].size) == (0, 0)
    assert rows["bias"].reason == "no rule matches"


def test_an_array_that_the_kernels_cannot_read_is_measured_too():
    params = {"w": np.ones(2), "strided": np.arange(8.0)[::2], "swapped": np.array([3, 4], dtype=">f4")}
    rows = rows_of(fr.summary(fr.regularize({"w": params["w"]}, [("*", fr.l2_regularizer(1.0))]), params))
    assert rows["strided"].norm == pytest.approx(math.sqrt(4 + 16 + 36))
    assert rows["swapped"].norm == 5


def test_the_registrys_terms():
    with fr.Graph().as_default():
        with fr.variable_scope("net", regularizer=fr.l2_regularizer(0.5)):
            w = fr.get_variable("w", initializer=np.array([3.0, 0.0, 4.0]))
            fr.get_variable("b", initializer=np.ones(2), regularizer=fr.no_regularizer)
        losses, variables = fr.get_regularization_losses(), fr.global_variables()
        assert [row.name for row in fr.summary(losses).rows] == ["net/w"]
        rows = rows_of(fr.summary(losses, variables))
        assert rows == rows_of(fr.summary(fr.get_regularization_loss(), {v.name: v for v in variables}))
    assert (rows["net/w"].penalty, rows["net/w"].norm, rows["net/w"].zeros) == (6.25, 5, 1)
    assert (rows["net/b"].reason, rows["net/b"].rule) == ("no term", None)
    w.regularizer = None
    assert [row.name for row in fr.summary(losses).rows] == []


def test_text_is_aligned_and_says_the_essentials(params):
    lines = str(fr.summary(fr.regularize(params, RULES))).splitlines()
    starts = [line.index(word) for line, word in zip(lines[1:3], ("l1_l2_regularizer(0.25, 0.5)", "none:"), strict=False)]
    assert starts == [lines[0].index("regularizer")] * 2
    assert lines[-1].startswith("1 of 4 regularized")


def test_html_is_escaped():
    text = fr.summary(fr.regularize({"<i>w": np.ones(1)}, [("*", Printed())]))._repr_html_()
    assert "&lt;i&gt;w" in text
    assert "&lt;b&gt;own &amp; printed&lt;/b&gt;" in text
    assert set(re.findall(r"</?(\w+)>", text)) == {"table", "thead", "tbody", "tr", "th", "td"}


def test_to_dict_is_plain(params):
    plain = fr.summary(fr.regularize(params, RULES)).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["rows"][0]["shape"] == [4, 3]
    assert plain["rows"][0]["penalty"] == plain["total"]


def test_a_users_own_regularizer_has_its_name(params):
    for own, shown in ((Named(), "Named"), (Printed(), "<b>own & printed</b>"), (np.max, "max"), (fr.no_regularizer, None)):
        assert fr.summary(fr.regularize({"w": np.ones(3)}, [("*", own)])).rows[0].regularizer == shown


def test_a_total_of_zero_has_no_share_to_give():
    row = fr.summary(fr.regularize({"w": np.zeros(3)}, [("*", fr.l2_regularizer(0.5))])).rows[0]
    assert (row.penalty, row.share) == (0, 0)


def test_no_term_and_no_array():
    table = fr.summary([])
    assert (table.rows, table.total) == ((), 0)
    assert str(table).splitlines()[-1].startswith("0 of 0 regularized")


@pytest.mark.parametrize("params", [[np.ones(3)], "w", 5.0])
def test_params_that_have_no_names_are_refused(params):
    with pytest.raises(TypeError, match="params must map names to arrays, or list variables"):
        fr.summary([], params)


def test_params_may_be_nested():
    layers = [{"W": np.ones((2, 3)), "b": np.zeros(3)}, (np.ones(2),)]
    for params, names in ((layers, ["0/W", "0/b", "1/0"]), ({"net": layers}, ["net/0/W", "net/0/b", "net/1/0"])):
        terms = fr.regularize(params, [("*W", fr.l2_regularizer(0.5))])
        assert sorted(row.name for row in fr.summary(terms, params).rows) == names
        assert fr.summary(terms, params).to_dict() == fr.summary(terms).to_dict()


@pytest.mark.parametrize("give", [lambda a, b: [a, b], lambda a, b: {"a": a, "net/b": b}], ids=["list", "dict"])
def test_a_variable_in_parts_has_a_line_for_each_part(give):
    with fr.Graph().as_default():
        with fr.variable_scope("net", regularizer=fr.l1_regularizer(0.5)):
            a = fr.get_variable("a", shape=(4, 2), initializer=np.ones, partitioner=fr.fixed_size_partitioner(2))
            b = fr.get_variable("b", shape=(3,), initializer=np.ones, regularizer=fr.no_regularizer)
        rows = fr.summary(fr.get_regularization_loss(), give(a, b)).rows
    assert [(row.name, row.penalty, row.reason) for row in rows] == [
        ("net/a/part_0", 2.0, None), ("net/a/part_1", 2.0, None), ("net/b", None, "no term"),
    ]  # fmt: skip


def test_terms_are_a_list_that_says_what_it_holds(params):
    terms = fr.regularize(params, [("*bias", None), ("encoder/*", fr.l2_regularizer(0.5))])
    assert isinstance(terms, list)
    assert repr(terms) == f"<Terms: 1 term, value {float(fr.add_n(terms)):g}, 3 arrays left out>"
    params["encoder/in_proj"][...] = 2
    assert repr(terms) == "<Terms: 1 term, value 12, 3 arrays left out>"
    assert str(fr.add_n(terms)) == "12, the sum of 1 term"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda terms: pickle.loads(pickle.dumps(terms))], ids=["copy", "pickle"])
def test_a_copy_remembers_what_the_rules_decided(params, copied):
    terms = fr.regularize(params, RULES)
    other = copied(terms)
    assert str(fr.summary(other)) == str(fr.summary(terms))
    other[0].variable.regularizer = None
    assert (len(other), len(terms)) == (0, 1)
