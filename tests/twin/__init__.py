"""The plain NumPy twin of fastreg's penalties and update rules, which the tests and the benchmarks compare with.

It knows nothing of fastreg: NumPy and exact fractions alone. `inputs` makes arrays that are the same on every machine, `sums`
forms a sum as the kernels do, `groups` finds the groups of an array and forms their sums, `penalties` and `rules` hold the
formulas, each with a table by name, `steps` takes whole steps by them, `exact` has sums without rounding, and `compare` compares
results to the last bit.
"""
