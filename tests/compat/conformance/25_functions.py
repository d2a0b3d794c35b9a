"""functions: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
x = tf.constant(np.arange(12, dtype=np.float32).reshape(3, 4))
sess = tf.InteractiveSession()
for t in (x[0], x[:, 1], x[1:, ::2], tf.reduce_sum(x, 0), tf.reduce_sum(x, axis=[0, 1]), tf.reduce_mean(x, 1, keepdims=True), tf.transpose(x), tf.concat([x, x], 1),
          tf.stack([x, x]), tf.expand_dims(x, 0), tf.tile(x, [1, 2]), tf.gather(x, [0, 2]), tf.cast(x, tf.int32), tf.shape(x), tf.size(x), tf.rank(x), tf.maximum(x, 3.0), tf.norm(x), tf.norm(x, axis=0),
          tf.clip_by_value(x, 1.0, 4.0), tf.squeeze(tf.ones([1, 3, 1])), x > 3.0, tf.equal(x, 3.0), tf.zeros_like(x), tf.ones_like(x), tf.fill([2, 2], 3.0), tf.eye(2), tf.pow(x, 2.0), x % 3.0, x // 2.0, tf.sqrt(x), tf.reduce_max(x, 0), tf.reduce_prod(x[1]), tf.nn.softmax(x), tf.sigmoid(x), tf.reduce_any(x > 3.0)):
    v = t.eval()
    print(t, v.dtype, v.shape, np.asarray(v, float).ravel()[:4].round(4).tolist())
print(tf.trainable_variables(), x.get_shape().as_list(), x.shape[0], x.shape[0].value, int(x.shape[1]), x.shape.ndims, len(x.shape))
with tf.control_dependencies([tf.no_op()]):
    print(tf.identity(x).name)
a = tf.Variable(3.0)
sess.run(a.initializer)
up = tf.assign_add(a, 2.0)
with tf.control_dependencies([up]):
    y = a.read_value()
print(sess.run(y), sess.run(a), a.eval())
a.load(10.0, sess)
print(a.eval(), a.initialized_value().eval(), a.get_shape(), a.shape)
print(tf.get_variable_scope().name == "", tf.get_variable_scope().reuse)
l = tf.get_local_variable("loc", [2], initializer=tf.zeros_initializer())
print(l.name, [v.name for v in tf.local_variables()], [v.name for v in tf.global_variables()])
sess.run(tf.local_variables_initializer())
print(l.eval())
print(tf.GraphKeys.LOCAL_VARIABLES, tf.GraphKeys.UPDATE_OPS, tf.GraphKeys.TRAIN_OP)
print(tf.float64.as_numpy_dtype, tf.as_dtype("float32"), tf.as_dtype(np.int64), tf.float32.is_floating, tf.float32 == np.float32)
