"""contrib layers and slim: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
C, slim, F, K = tf.contrib.layers, tf.contrib.slim, tf.contrib.framework, tf.GraphKeys
def fresh():
    tf.reset_default_graph()
    return tf.placeholder(tf.float32, [None, 8, 8, 3], name="x"), tf.placeholder(tf.float32, [4, 5], name="h"), tf.placeholder(tf.bool, [], name="t")
def names(key):
    return [v.name for v in tf.get_collection(key)]
def show(*ts):
    for t in ts:
        print("  ", t)
    for key in ("variables", "trainable_variables", "model_variables", "regularization_losses", "losses", "update_ops", "mine", "ends"):
        found = tf.get_collection(key)
        if found:
            print("  ", key, [v.name for v in found])
x, h, t = fresh()
print("plain")
show(C.fully_connected(h, 3), C.fully_connected(h, 3), C.fully_connected(h, 2, activation_fn=None, scope="fc"), C.conv2d(x, 4, 3), C.conv2d(x, 4, [3, 2], 2, "VALID", scope="conv1"),
     C.max_pool2d(x, 2), C.max_pool2d(x, [2, 2], 1, "SAME", scope="pool1"), C.avg_pool2d(x, 2), C.dropout(h), C.dropout(h, 0.9, is_training=False), C.flatten(x), C.flatten(x, scope="flat"),
     C.bias_add(h), C.softmax(h), C.linear(h, 2), C.relu(h, 2), C.one_hot_encoding(tf.constant([1, 2]), 3))
x, h, t = fresh()
print("regularized and collected")
r = slim.l2_regularizer(0.5)
show(C.fully_connected(h, 3, weights_regularizer=r, biases_regularizer=slim.l1_regularizer(0.25), variables_collections=["mine"], outputs_collections="ends", scope="a"),
     C.fully_connected(h, 3, biases_initializer=None, variables_collections={"weights": ["mine"]}, trainable=False, scope="b"),
     C.fully_connected(h, 3, weights_regularizer=r, reuse=True, scope="a"), C.conv2d(x, 2, 1, weights_regularizer=r, scope="c"))
print("  ", tf.get_collection("ends")[0].aliases)
x, h, t = fresh()
print("normalized")
with slim.arg_scope([slim.batch_norm], decay=0.9, scale=True):
    show(slim.conv2d(x, 4, 3, normalizer_fn=slim.batch_norm), slim.conv2d(x, 4, 3, normalizer_fn=slim.batch_norm, normalizer_params={"is_training": False, "scale": False}, scope="still"),
         slim.fully_connected(h, 4, normalizer_fn=slim.batch_norm, weights_regularizer=r, scope="fc"))
x, h, t = fresh()
print("batch_norm")
show(C.batch_norm(x), C.batch_norm(h), C.batch_norm(x, scale=True, is_training=False, scope="bn"), C.batch_norm(x, updates_collections=None, center=False), C.batch_norm(h, fused=False, param_regularizers={"beta": r}),
     C.batch_norm(x, activation_fn=tf.nn.relu, variables_collections=["mine"], updates_collections="own", scope="last"), C.batch_norm(h, scale=True, param_regularizers={"gamma": r}, scope="reg"))
print("  ", names("own"))
x, h, t = fresh()
print("nested")
with slim.arg_scope([slim.conv2d, slim.fully_connected], weights_regularizer=slim.l2_regularizer(5e-4), activation_fn=tf.nn.elu, weights_initializer=tf.truncated_normal_initializer(0.0, 0.01)):
    with slim.arg_scope([slim.conv2d], stride=1, padding="SAME") as sc:
        net = slim.repeat(x, 2, slim.conv2d, 4, [3, 3], scope="conv1")
        net = slim.max_pool2d(net, [2, 2], scope="pool1")
        with slim.arg_scope([slim.conv2d], padding="VALID", activation_fn=None):
            net = slim.conv2d(net, 6, [3, 3], scope="conv2")
        net = slim.repeat(net, 2, slim.conv2d, 4, [1, 1])
        net = slim.stack(slim.flatten(net), slim.fully_connected, [7, 5], scope="fc")
        net = slim.stack(net, slim.fully_connected, [(3,), (2,)])
        net = slim.dropout(net, 0.5, is_training=False, scope="dropout6")
        show(net)
with slim.arg_scope(sc):
    print("  ", slim.conv2d(x, 2, 2).shape, slim.arg_scope is F.arg_scope)
with tf.variable_scope("outer", reuse=tf.AUTO_REUSE):
    a, b = slim.conv2d(x, 2, 3, scope="shared"), slim.conv2d(x, 2, 3, scope="shared")
    print("  ", a.name, b.name)
print("  ", [v.name for v in slim.get_variables("outer")], [v.name for v in slim.get_model_variables("conv1")], [v.name for v in slim.get_variables_by_suffix("biases", "fc")], [v.name for v in slim.get_variables_by_name("weights", "conv2")])
print("  ", len(slim.get_variables_to_restore(exclude=["conv1", "fc"])), [v.name for v in slim.get_variables_to_restore(include=["conv2"])], slim.get_unique_variable("conv2/biases").name)
with tf.variable_scope("mv"):
    w = slim.model_variable("w", shape=[2, 2], initializer=tf.ones_initializer(), regularizer=slim.l2_regularizer(0.05))
    v = slim.variable("v", shape=[2], initializer=tf.zeros_initializer(), trainable=False)
    print("  ", w.name, v.name, w in slim.get_model_variables(), v in slim.get_model_variables(), w in tf.trainable_variables(), names("regularization_losses")[-1])
@slim.add_arg_scope
def mine(inputs, scale=1.0, scope=None):
    """Scale."""
    return inputs * scale
with slim.arg_scope([mine], scale=3.0):
    print("  ", mine.__name__, mine.__doc__, F.has_arg_scope(mine), F.arg_scoped_arguments(mine))
    with tf.Session() as sess:
        print("  ", sess.run([mine(tf.constant(2.0)), mine(tf.constant(2.0), scale=5.0)]) == [6.0, 10.0])
for wrong in (lambda: slim.arg_scope("x").__enter__(), lambda: slim.arg_scope({}, a=1).__enter__(), lambda: C.fully_connected(h, 2.5), lambda: C.max_pool2d(x, 2, data_format="N"),
              lambda: C.stack(h, C.fully_connected, 3), lambda: C.conv2d(x, 2, 3, data_format="NN"), lambda: slim.get_unique_variable("nothing"), lambda: C.fully_connected(h, 3, scope="conv1", reuse=True), lambda: C.variance_scaling_initializer(dtype=tf.int32), lambda: C.conv2d(x, 4, 3, scope="conv2")):
    try:
        print(wrong())
    except (ValueError, TypeError) as e:
        print(type(e).__name__, str(e).split(" Originally")[0])
