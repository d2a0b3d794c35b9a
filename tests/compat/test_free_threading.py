"""TensorFlow 1's graphs in many threads: building one graph together, and running it."""

import itertools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastreg.compat.v1 as tf

THREADS, ROUNDS = 4, 12


@pytest.fixture(autouse=True)
def short_turns():
    """Where there is an interpreter lock, let threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def each(work):
    """Run work(0), work(1), ... each in a thread of its own; all begin at once."""
    start = threading.Barrier(THREADS)

    def begin(k):
        start.wait(timeout=60)
        return work(k)

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result(timeout=120) for future in [pool.submit(begin, k) for k in range(THREADS)]]


def test_threads_build_one_graph_together():
    graph = tf.Graph()

    def work(k):
        with graph.as_default(), tf.variable_scope(f"thread{k}"):  # where a thread stands in its scopes, no other one knows
            x = tf.constant(np.ones((2, 3), np.float32))
            for _ in range(ROUNDS):
                tf.layers.dense(x, 2, kernel_regularizer=tf.contrib.layers.l2_regularizer(0.5))
                tf.train.get_or_create_global_step()
        return True

    each(work)
    n = THREADS * ROUNDS
    losses = graph.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    kernels = [v for v in graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES) if "kernel" in v.name]
    assert len({t.name for t in losses}) == len(losses) == len({v.name for v in kernels}) == len(kernels) == n
    assert len(graph.get_collection(tf.GraphKeys.GLOBAL_STEP)) == 1
    assert len({op.name for op in graph.get_operations()}) == len(graph.get_operations())
    with tf.Session(graph=graph) as session:
        with graph.as_default():
            session.run(tf.global_variables_initializer())
        total = sum(float(np.sum(session.run(v).astype(np.float64) ** 2)) / 4 for v in kernels)
        assert sum(map(float, session.run(losses))) == pytest.approx(total, rel=1e-6)


def test_layers_are_numbered_once():
    graph = tf.Graph()

    def work(k):
        with graph.as_default():
            return [tf.layers.Dense(2).name for _ in range(ROUNDS)]

    assert sorted(itertools.chain(*each(work))) == sorted(f"dense_{i}" for i in range(1, THREADS * ROUNDS + 1))


def test_runs_of_one_graph_take_turns():
    with tf.Graph().as_default() as graph:
        v = tf.get_variable("v", initializer=np.zeros(3, np.float32))
        step = tf.assign_add(v, np.ones(3, np.float32))
        start = tf.global_variables_initializer()
    with tf.Session(graph=graph) as shared:
        shared.run(start)

        def work(k):
            own = tf.Session(graph=graph)
            own.run(start)
            for _ in range(ROUNDS):
                own.run(step)
                shared.run(step)
            return own.run(v).tolist()

        assert each(work) == [[float(ROUNDS)] * 3] * THREADS
        assert shared.run(v).tolist() == [float(THREADS * ROUNDS)] * 3


def test_a_message_is_logged_at_the_first_calls_of_all_threads(caplog):
    def work(k):
        for _ in range(ROUNDS):
            tf.logging.log_first_n(tf.logging.ERROR, "seen", 5)

    each(work)
    assert [record.message for record in caplog.records] == ["seen"] * 5
