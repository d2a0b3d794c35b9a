"""tf.keras.constraints, and constraints in scopes, parts and steps: written with fastreg, printed by TensorFlow 1.15.5"""
import numpy as np
C = tf.keras.constraints
def values(t):
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        return np.round(s.run(t).astype("f8"), 4).tolist()
w = tf.constant([[0.5, -1.5, 0.0, 2.0], [0.25, 2.0, 0.0, -3.0], [-1.0, 0.125, 0.0, 6.0]])
for m in (0.1, 0.5, 3, 8, 1e-7):
    print(m, values(C.MaxNorm(m)(w)), values(C.max_norm(m, axis=1)(w)))
    print(m, values(C.MinMaxNorm(m, m * 2)(w)), values(C.min_max_norm(m, m * 2, rate=0.5, axis=1)(w)))
print(values(C.MaxNorm()(w)), values(C.UnitNorm()(w)), values(C.unit_norm(axis=1)(w)), values(C.NonNeg()(w)))
print(values(C.MinMaxNorm()(w)), values(C.Constraint()(w)), C.non_neg is C.NonNeg, C.max_norm is C.MaxNorm)
image = tf.constant((np.arange(24) / 8.0 - 1.0).astype("f4").reshape(2, 2, 3, 2))
print(values(C.MaxNorm(1.0, axis=[0, 1, 2])(image)), values(C.UnitNorm([0, 1])(image)), values(C.UnitNorm(None)(w)))
for c in (C.MaxNorm(3.0, 1), C.NonNeg(), C.UnitNorm([0, 1]), C.MinMaxNorm(0.5), C.MaxNorm(), C.Constraint()):
    print(type(c).__name__, sorted(c.get_config().items()))
try:
    C.NonNeg()(tf.constant(1.0, tf.float64))
except TypeError as e:
    print(e)
with tf.variable_scope("s", constraint=C.NonNeg()):
    print([type(tf.get_variable("a", [2]).constraint).__name__, tf.get_variable("b", [2], constraint=abs).constraint is abs])
    with tf.variable_scope("t"):
        print(tf.get_variable("a", [2]).constraint)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        print(type(tf.get_variable("a", [2]).constraint).__name__)
    parts = tf.get_variable("p", [4], partitioner=tf.fixed_size_partitioner(2))
    print([type(part.constraint).__name__ for part in parts])
def few(getter, name, shape=None, dtype=None, initializer=None, regularizer=None, reuse=None, trainable=None, collections=None,
        caching_device=None, partitioner=None, validate_shape=None, use_resource=None, synchronization=None, aggregation=None):
    return getter(name, shape=shape, dtype=dtype, initializer=initializer)
def named(getter, *args, **kwargs):
    print("constraint" in kwargs, kwargs["constraint"] is abs)
    return getter(*args, **kwargs)
print(tf.get_variable("few", [2], custom_getter=few, constraint=abs).constraint)
print(tf.get_variable("named", [2], custom_getter=named, constraint=abs).constraint is abs)
tf.get_variable("named_without", [2], custom_getter=named)
for wrong in (3, "non_neg"):
    try:
        tf.get_variable("wrong", [2], constraint=wrong)
    except ValueError as e:
        print(e)
v = tf.get_variable("v", initializer=tf.constant([[3.0, 4.0], [0.5, 0.0]]), constraint=C.MaxNorm(1.0, axis=1))
u = tf.get_variable("u", initializer=tf.constant([[1.0, -1.0], [2.0, 0.5]]), constraint=C.NonNeg())
gv, gu = tf.constant([[1.0, -1.0], [0.5, 0.25]]), tf.constant([[4.0, -4.0], [1.0, 8.0]])
for make in (tf.train.GradientDescentOptimizer, tf.train.AdamOptimizer, lambda r: tf.train.MomentumOptimizer(r, 0.5)):
    step = make(0.5).apply_gradients([(gv, v), (gu, u)])
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        for _ in range(3):
            s.run(step)
        print([np.round(a.astype("f8"), 4).tolist() for a in s.run([v, u])])
step = tf.train.GradientDescentOptimizer(0.5).minimize(tf.reduce_sum(v * v) - 4.0 * tf.reduce_sum(u))
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    s.run(step)
    print([np.round(a.astype("f8"), 4).tolist() for a in s.run([v, u])])
try:
    tf.train.GradientDescentOptimizer(0.5).apply_gradients([(tf.IndexedSlices(tf.constant([[1.0, 1.0]]), tf.constant([0])), u)])
except RuntimeError as e:
    print(e)
