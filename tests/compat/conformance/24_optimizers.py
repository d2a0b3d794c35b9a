"""optimizers: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
L = tf.contrib.layers
w = tf.get_variable("w", initializer=np.array([1.0, -2.0, 0.5], np.float32), regularizer=L.l2_regularizer(0.5))
b = tf.get_variable("b", initializer=np.array([0.5], np.float32), regularizer=L.l1_regularizer(0.5))
n = tf.get_variable("n", initializer=np.array([0.5]), trainable=False)
l1 = tf.get_collection("regularization_losses")[1]
gs = tf.Variable(0, trainable=False, name="global_step")
opts = [tf.train.MomentumOptimizer(0.1, 0.9), tf.train.AdamOptimizer(0.1), tf.train.AdagradOptimizer(0.1), tf.train.RMSPropOptimizer(0.01, centered=True), tf.train.FtrlOptimizer(0.1),
        tf.train.ProximalAdagradOptimizer(0.1), tf.train.GradientDescentOptimizer(tf.constant(0.25))]
loss = l1 + tf.get_collection("regularization_losses")[0]
ops = []
for o in opts:
    s = o.minimize(loss, global_step=gs, var_list=[w, b])
    ops.append(s)
    print(s.name, o.get_name(), o.get_slot_names(), [v.name for v in o.variables()])
print([v.name for v in tf.global_variables()])
print([v.name for v in tf.trainable_variables()])
print(opts[0].compute_gradients(loss)[2:] , [(g is None, v.name) for g, v in opts[0].compute_gradients(loss, [w, n])])
adamw = tf.contrib.opt.AdamWOptimizer(0.1, learning_rate=0.01)
st = adamw.apply_gradients([(tf.constant([0.1, 0.1, 0.1]), w), (tf.constant([0.0]), b)], decay_var_list=[w])
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for o in ops:
        sess.run(o)
        sess.run(o)
        print(["%.6g" % x for x in np.concatenate(sess.run([w, b]))], "%.6g" % sess.run(loss), sess.run(gs))
    sess.run(st)
    print(["%.6g" % x for x in np.concatenate(sess.run([w, b]))])
    m = opts[0].get_slot(w, "momentum")
    print(m.name, m, sess.run(m).dtype, ["%.5g" % x for x in sess.run(m)])
for bad in (lambda: opts[0].minimize(loss, var_list=[]), lambda: opts[0].minimize(loss, var_list=[n]), lambda: opts[0].apply_gradients([]),
            lambda: opts[0].apply_gradients([(None, w)]), lambda: tf.train.FtrlOptimizer(0.1, l1_regularization_strength=-1.0), lambda: tf.train.AdagradOptimizer(0.1, initial_accumulator_value=0.0),
            lambda: tf.train.FtrlOptimizer(0.1, learning_rate_power=0.5), lambda: tf.train.FtrlOptimizer(0.1, initial_accumulator_value=-0.5)):
    try:
        print(bad())
    except Exception as e:
        print(type(e).__name__, e)
