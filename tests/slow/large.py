#!/usr/bin/env python
"""Arrays of more than 2**31 elements, where an index of 32 bits would go round.

python tests/slow/large.py            # 9 GB: value, and gradient and prox in place
python tests/slow/large.py --out      # 18 GB: gradients into an array of their own and an update step as well
"""

import argparse
import sys
import time

import numpy as np

import fastreg as fr

COUNT = 2**31 + 1000
BEGIN = time.perf_counter()
MARKS = (0, 2**31 - 1, 2**31, COUNT - 1)  # the places where the weights are not 1


def fill(weights):
    """Ones, with threes at the marks: the sums are known exactly."""
    weights.fill(1)
    weights[list(MARKS)] = 3


def check(what, found, expected):
    """Stop unless these are equal to the last bit."""
    if not np.array_equal(found, expected):
        sys.exit(f"{what}: expected {expected!r}, got {found!r}")
    print(f"{time.perf_counter() - BEGIN:6.1f} s  {what}", flush=True)


def ends(array):
    """The elements at the marks and beside them."""
    return array[[1, *MARKS, COUNT - 2]]


def in_place(weights):
    """Value, gradient and prox over one array of weights, each read or written where it stands."""
    l1, l2 = fr.l1_regularizer(0.5), fr.l2_regularizer(0.5)
    squares, absolutes = COUNT + 8 * len(MARKS), COUNT + 2 * len(MARKS)
    check("l2_loss", fr.l2_loss(weights), np.float32(squares / 2))
    check("l1 value", l1(weights), np.float32(absolutes / 2))
    terms = fr.regularize({"w": weights}, [("*", fr.sum_regularizer([l1, l2]))])
    check("the collection's total", float(fr.add_n(terms)), absolutes / 2 + squares / 4)
    start = ends(weights)
    l1.prox(weights, step=1.0, out=weights)
    check("l1 prox in place", ends(weights), start - np.float32(0.5))
    fill(weights)
    l2.gradient(weights, out=weights)
    check("l2 gradient in place", ends(weights), start * np.float32(0.5))
    fill(weights)


def beside(weights):
    """Gradients into another array, and a step."""
    l2 = fr.l2_regularizer(0.5)
    terms = fr.regularize({"w": weights}, [("*", l2)])
    gradients = np.ones_like(weights)
    start = ends(weights)
    fr.value_and_gradients(terms, out={"w": gradients}, accumulate=True)
    check("accumulated gradient", ends(gradients), start * np.float32(0.5) + 1)
    gradients.fill(1)
    loss = fr.optim.GradientDescent(0.5).apply_gradients({"w": (gradients, weights)}, regularization=terms)
    check("loss of the step", float(loss), (COUNT + 8 * len(MARKS)) / 4)
    check("weights after the step", ends(weights), start - np.float32(0.5) * (start * np.float32(0.5) + 1))


def main():
    """Run the checks; any difference ends with status 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", action="store_true", help="also what needs a second array: 18 GB in all")
    options = parser.parse_args()
    weights = np.empty(COUNT, np.float32)
    fill(weights)
    in_place(weights)
    if options.out:
        beside(weights)


if __name__ == "__main__":
    main()
