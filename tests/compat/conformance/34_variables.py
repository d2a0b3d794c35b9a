"""variables: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
g = tf.Graph()
with g.as_default():
    with tf.name_scope("n") as n:
        a = tf.Variable(np.ones(3, np.float32), name="a")
        b = tf.Variable(tf.zeros([2]), name="b", trainable=False, collections=["mine"])
        c = tf.Variable([[1, 2], [3, 4]], dtype=tf.float32)
    print(a, b, c, [v.name for v in tf.global_variables()], [v.name for v in tf.trainable_variables("n/V")])
    with tf.variable_scope("s"):
        d = tf.Variable(1.0)
        e = tf.get_variable("e", [])
        f = tf.get_variable("Variable", [])
    print(d.name, e.name, f.name)
    i = a.initialized_value() * 2.0
    h = tf.Variable(i, name="h")
    t = tf.get_variable("h", [3])
    print(h.name, t.name, h.shape)
    k = tf.Variable(lambda: tf.ones([2]), name="k", dtype=tf.float32)
    up = tf.group(tf.assign(a, [1.0, 2.0, 3.0]), tf.assign_add(k, [1.0, 1.0]))
    print(up.name, up.type)
    print([v.name for v in tf.get_collection("mine")])
    init = tf.global_variables_initializer()
with tf.Session(graph=g) as s:
    s.run(init)
    s.run(b.initializer)
    print([q.tolist() for q in s.run([a, b, c, h, k])])
    s.run(up)
    print([q.tolist() for q in s.run((a, k))])
    print(s.run("n/a:0"), s.run([g.get_tensor_by_name("n/a:0")])[0], s.run("init"))
    print(type(s.run(d)), s.run(d).dtype)
print(g.as_graph_element("n/a").name, [o.name for o in g.get_operations()][:3], len(g.get_collection("variables")))
print(tf.constant(3).dtype, tf.constant(3.0).dtype, tf.constant(True).dtype, tf.constant(np.float64(1)).dtype, tf.constant([1, 2.5]).dtype, tf.constant(np.arange(3)).dtype, tf.constant(2, tf.float64).dtype)
print(tf.constant(7.0, shape=[2, 2]), tf.zeros([2, 3]).name, tf.ones([2], tf.int32), tf.zeros_like(tf.ones([2])).name, tf.random_uniform([2, 2]).name, tf.random_normal([2]).name, tf.truncated_normal([2]).name, tf.fill([2], 1.0).name, tf.cast(tf.constant(1), tf.float32).name, tf.concat([[1.0], [2.0]], 0).name, tf.stack([1.0, 2.0]).name, tf.expand_dims([1.0], 0).name, tf.squeeze([1.0]).name, tf.tile([1.0], [2]).name, tf.transpose([[1.0]]).name, tf.gather([1.0], [0]).name, tf.reshape([1.0], [1, 1]).name, tf.shape([1.0]).name, tf.size([1.0]).name, tf.rank([1.0]).name, tf.clip_by_value([1.0], 0.0, 1.0).name, tf.reduce_max([1.0]).name, tf.sqrt([1.0]).name, tf.sign([1.0]).name, tf.maximum(1.0, 2.0).name, tf.pow(1.0, 2.0).name, tf.less(1.0, 2.0).name, tf.nn.softmax([1.0]).name, tf.sigmoid([1.0]).name, tf.tanh([1.0]).name, tf.nn.bias_add([[1.0]], [1.0]).name, tf.to_float(1).name, tf.eye(2).name, tf.stop_gradient([1.0]).name, tf.global_norm([tf.ones([2])]).name)
