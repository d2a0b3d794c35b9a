#!/usr/bin/env python
"""Arrays of more than 2**31 elements, where an index of 32 bits would go round.

python tests/slow/large.py            # 9 GB: value, and gradient, prox, constraints and a step of rows in place; 16 bits
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


def of_groups(weights):
    """Groups of four neighbours, groups of one, four groups of interleaved members, and one group of all."""
    fours, ones = weights.reshape(-1, 4), weights.reshape(-1, 1)
    n, k = len(fours), len(MARKS)  # each mark stands in another row
    changed = np.sqrt(12.0)
    check("norms of rows", fr.group_lasso_regularizer(0.5, 1)(fours), np.float32((2 * (n - k) + changed * k) / 2))
    check("norms of one element each", fr.group_lasso_regularizer(0.5, 1)(ones), np.float32((COUNT + 2 * k) / 2))
    columns = np.sqrt(n + 8 * np.bincount(np.array(MARKS) % 4, minlength=4))
    check("norms of columns", fr.group_lasso_regularizer(0.5, 0)(fours), np.float32(columns.sum() / 2))
    check("norm of all", fr.group_lasso_regularizer(0.5, None)(weights), np.float32(np.sqrt(COUNT + 8 * k) / 2))
    start = ends(weights)
    of_row = np.where(start == 3, changed, 2.0)
    of_row[-1] = changed  # the last but one stands beside a mark, as the second does
    of_row[0] = changed
    fr.group_lasso_regularizer(0.5, 1).gradient(fours, out=fours)
    check("gradient of rows' norms in place", ends(weights), (0.5 / of_row * start).astype(np.float32))
    fill(weights)
    fr.group_lasso_regularizer(0.5, 0).gradient(fours, out=fours)
    of_column = columns[np.array([1, *MARKS, COUNT - 2]) % 4]
    check("gradient of columns' norms in place", ends(weights), (0.5 / of_column * start).astype(np.float32))
    fill(weights)


def of_lines(weights):
    """Lines of four neighbours."""
    fours, k = weights.reshape(-1, 4), len(MARKS)
    check("largest magnitudes of rows", fr.linf_regularizer(0.5, axis=1)(fours), np.float32((len(fours) + 2 * k) / 2))
    check("total variation of rows", fr.total_variation_regularizer(0.5, axis=1)(fours), np.float32(2 * k / 2))


def constrained(weights):
    """Constraints in place."""
    start = ends(weights)
    fr.constraints.box(0.0, 2.0).project(weights, out=weights)
    check("box in place", ends(weights), np.minimum(start, 2))
    fill(weights)
    fours = weights.reshape(-1, 4)
    fr.constraints.max_norm(2.0, axis=1).project(fours, out=fours)
    check("rows of norms of at most 2", ends(weights)[1:-1], np.full(len(MARKS), np.float32(3 * (2 / np.sqrt(12.0)))))
    check("rows of norm 2", weights[[4, 2**30, COUNT - 5]], np.ones(3, np.float32))
    fill(weights)


def of_rows(weights):
    """A step of rows whose numbers are above 2**31."""
    table, rows = weights.reshape(-1, 1), np.array([COUNT - 1, 2**31, 1])
    start = ends(weights)
    fr.optim.GradientDescent(0.5).apply_gradients({"w": ((np.ones((3, 1), np.float32), rows), table)})
    stepped = np.array([True, False, False, True, True, False])
    check("a step of rows", ends(weights), start - np.float32(0.5) * stepped)
    fill(weights)


def sixteen():
    """Weights of 16 bits."""
    weights = np.empty(COUNT, np.float16)
    fill(weights)
    start, l2 = ends(weights), fr.l2_regularizer(0.5)
    check("l2 value of 16 bits", l2(weights), np.float32((COUNT + 8 * len(MARKS)) / 4))
    l2.gradient(weights, out=weights)
    check("l2 gradient of 16 bits in place", ends(weights), start / 2)
    fill(weights)
    fr.l1_regularizer(0.5).prox(weights, 1.0, out=weights)
    check("l1 prox of 16 bits in place", ends(weights), start - np.float16(0.5))


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
    for part in (in_place, of_groups, of_lines, constrained, of_rows, *([beside] if options.out else [])):
        part(weights)
    del weights
    sixteen()


if __name__ == "__main__":
    main()
