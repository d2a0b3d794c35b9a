"""The registry: names, name scopes, collections, default graphs."""

import threading

import numpy as np
import pytest

import fastreg as fr


@pytest.fixture(autouse=True)
def graph():
    with fr.Graph().as_default() as graph:
        yield graph


class Named:
    def __init__(self, name):
        self.name = name


def test_keys_have_tensorflows_names():
    k = fr.GraphKeys
    assert [k.REGULARIZATION_LOSSES, k.LOSSES, k.GLOBAL_VARIABLES, k.TRAINABLE_VARIABLES, k.WEIGHTS, k.BIASES] == [
        "regularization_losses", "losses", "variables", "trainable_variables", "weights", "biases",
    ]  # fmt: skip


def test_collection_is_a_copy_in_order_with_duplicates():
    assert fr.get_collection("mine") == []
    for item in (2, 1, 2):
        fr.add_to_collection("mine", item)
    fr.get_collection("mine").append(3)
    assert fr.get_collection("mine") == [2, 1, 2]


def test_collection_ref_is_live_and_made_when_missing():
    ref = fr.get_collection_ref("mine")
    fr.add_to_collection("mine", 1)
    ref.append(2)
    assert fr.get_collection("mine") == [1, 2]


@pytest.mark.parametrize(("names", "where"), [("ab", ["ab"]), (["a", "b", "a"], ["a", "b"]), (("b",), ["b"]), ([], [])])
def test_add_to_collections_takes_one_name_or_several(graph, names, where):
    fr.add_to_collections(names, 7)
    assert {key: graph.get_collection(key) for key in graph.collections} == {key: [7] for key in where}


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        (None, ["w1/x", "w10/x", "a/w1", "no name"]),
        ("", ["w1/x", "w10/x", "a/w1"]),
        ("w1", ["w1/x", "w10/x"]),
        ("w1/", ["w1/x"]),
        (".*w1", ["w1/x", "w10/x", "a/w1"]),
        ("x", []),
    ],
)
def test_scope_matches_the_start_of_names(scope, found):
    for name in ("w1/x", "w10/x", "a/w1"):
        fr.add_to_collection("mine", Named(name))
    fr.add_to_collection("mine", "no name")
    assert [getattr(item, "name", item) for item in fr.get_collection("mine", scope)] == found


def test_clear_collection(graph):
    fr.add_to_collection("mine", 1)
    graph.clear_collection("mine")
    graph.clear_collection("never there")
    assert graph.collections == []


def test_unique_names_count_and_ignore_case(graph):
    assert [graph.unique_name(n) for n in ("w", "w", "W", "w_1", "v")] == ["w", "w_1", "W_2", "w_1_1", "v"]


def test_unmarked_names_stay_free(graph):
    assert [graph.unique_name("w", mark_as_used=False), graph.unique_name("w")] == ["w", "w"]


def test_name_scopes_nest_are_unique_and_can_be_entered_again(graph):
    with graph.name_scope("a") as a:
        assert a == "a/"
        assert graph.unique_name("x") == "a/x"
        with graph.name_scope("b") as b:
            assert b == "a/b/"
            with graph.name_scope(None) as root:
                assert root == "" == graph.get_name_scope()
    with graph.name_scope("a") as again:
        assert again == "a_1/"
    with graph.name_scope(a):
        assert graph.unique_name("x") == "a/x_1"
    assert graph.get_name_scope() == ""


@pytest.mark.parametrize(("outer", "name"), [("", "_a"), ("", "a b"), ("o", "a:0"), ("", "a\n")])
def test_bad_scope_names(graph, outer, name):
    with graph.name_scope(outer), pytest.raises(ValueError, match="is not a valid scope name"), graph.name_scope(name):
        pass


def test_inner_scopes_may_start_with_an_underscore(graph):
    with graph.name_scope("a"), graph.name_scope("_b") as scope:
        assert scope == "a/_b/"


def test_default_graphs_nest(graph):
    with fr.Graph().as_default() as inner:
        assert fr.get_default_graph() is inner
    assert fr.get_default_graph() is graph


def in_thread(f):
    result = []
    thread = threading.Thread(target=lambda: result.append(f()))
    thread.start()
    thread.join()
    return result[0]


def test_nesting_violated():
    def swapped():
        outer, inner = fr.Graph().as_default(), fr.Graph().as_default()
        outer.__enter__()
        inner.__enter__()
        with pytest.raises(AssertionError, match="Nesting violated"):
            outer.__exit__(None, None, None)
        return True

    assert in_thread(swapped)


def test_reset_is_refused_while_nested(graph):
    with pytest.raises(AssertionError, match=r"Do not use tf\.reset_default_graph\(\) to clear nested graphs"):
        fr.reset_default_graph()


def test_each_thread_has_its_own_default_graph_and_scopes(graph):
    def other():
        mine = fr.get_default_graph()
        fr.add_to_collection("x", 1)
        fr.reset_default_graph()
        return mine, fr.get_default_graph(), fr.get_collection("x")

    mine, fresh, found = in_thread(other)
    assert mine is not graph and fresh is not mine and found == []
    with graph.name_scope("a"), fr.variable_scope("v"):
        assert in_thread(lambda: (graph.get_name_scope(), fr.get_variable_scope().name)) == ("", "")


def test_names_are_unique_across_threads(graph):
    names = []
    threads = [threading.Thread(target=lambda: names.extend(graph.unique_name("n") for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 800


def test_seed_makes_variables_repeatable(graph):
    def make(seed):
        with fr.Graph().as_default():
            fr.set_random_seed(seed)
            return [fr.get_variable(name, shape=(5, 3)).value for name in "ab"]

    first, second, other = make(1), make(1), make(2)
    assert np.array_equal(first, second) and not np.array_equal(first[0], first[1]) and not np.array_equal(first, other)
