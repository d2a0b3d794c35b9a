"""decay by rows and for some variables: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
rng = np.random.RandomState(1)
O = tf.contrib.opt
for name, make in (("adamw", lambda: O.AdamWOptimizer(0.1, 0.05)), ("momw", lambda: O.MomentumWOptimizer(0.1, 0.05, 0.9))):
    tf.reset_default_graph()
    w = tf.get_variable("w", initializer=rng.randn(3, 2).astype(np.float32))
    u = tf.get_variable("u", initializer=rng.randn(3, 2).astype(np.float32))
    o = make()
    step = o.apply_gradients([(tf.IndexedSlices(tf.constant(rng.randn(2, 2).astype(np.float32)), tf.constant([0, 2]), tf.constant([3, 2])), w), (tf.ones([3, 2]), u)])
    some = o.apply_gradients([(tf.zeros([3, 2]), w), (tf.zeros([3, 2]), u)], decay_var_list=[u])
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        for _ in range(3):
            s.run(step)
        print(name, [["%.5g" % q for q in s.run(v).ravel()] for v in (w, u)], o.get_name(), [v.name for v in o.variables()])
        s.run(some)
        print(["%.5g" % q for q in s.run(u).ravel()])
