"""devices, folders, summaries of numbers, Keras' regularizers: written with fastreg, printed by TensorFlow 1.15.5."""
import os
import tempfile
log_dir = os.path.join(tempfile.mkdtemp(), "logs", "train")
if tf.gfile.Exists(log_dir):
    tf.gfile.DeleteRecursively(log_dir)
tf.gfile.MakeDirs(log_dir)
tf.gfile.MakeDirs(log_dir)
with tf.gfile.GFile(os.path.join(log_dir, "labels.txt"), "w") as f:
    f.write("one\ntwo\n")
with tf.gfile.Open(os.path.join(log_dir, "labels.txt")) as f:
    print(f.read().split())
print(tf.gfile.IsDirectory(log_dir), tf.gfile.ListDirectory(log_dir), [os.path.basename(p) for p in tf.gfile.Glob(log_dir + "/*.txt")])
tf.gfile.Remove(log_dir + "/labels.txt")
for f in (lambda: tf.gfile.Remove(log_dir + "/labels.txt"), lambda: tf.gfile.ListDirectory(log_dir + "/x"), lambda: tf.gfile.DeleteRecursively(log_dir + "/x"),
          lambda: tf.gfile.GFile(log_dir + "/x").read(), lambda: tf.gfile.MkDir(log_dir + "/x/y")):
    try: print(f())
    except tf.errors.NotFoundError as e: print(type(e).__name__)
print(tf.gfile.ListDirectory(log_dir))
tf.gfile.DeleteRecursively(os.path.dirname(log_dir))
print(tf.gfile.Exists(log_dir))

summary = tf.Summary(value=[tf.Summary.Value(tag="loss", simple_value=0.5)])
added = summary.value.add(tag="accuracy", simple_value=0.25)
print([(v.tag, v.simple_value) for v in summary.value], added.tag, len(tf.Summary().value))

keras = tf.keras.regularizers
print(keras.l2(0.5).get_config(), keras.l1(0.25).get_config(), keras.l1_l2(l1=0.5).get_config()["l1"], isinstance(keras.l2(), keras.L1L2), isinstance(keras.l1(), keras.Regularizer))
x = tf.placeholder("float", [None, 3], name="x")
with tf.device("/cpu:0"):
    w = tf.get_variable("w", initializer=[[1.0, -2.0], [0.5, 0.0], [0.0, 3.0]], regularizer=keras.l1_l2(0.01, 0.1))
with tf.get_default_graph().device("/device:CPU:0"), tf.device(None):
    h = tf.layers.dense(tf.matmul(x, w), 2, kernel_initializer=tf.ones_initializer(), kernel_regularizer=keras.l2(0.01), bias_regularizer=keras.l1(0.02))
off = tf.identity(keras.l1_l2(0.0, 0.0)(w), name="off")
print([t.name for t in tf.losses.get_regularization_losses()], off)
loss = tf.reduce_mean(tf.square(h)) + tf.losses.get_regularization_loss()
step = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    feed = {x: [[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]]}
    for i in range(4):
        print("%.4f" % s.run(loss, feed), ["%.5f" % p for p in s.run(tf.losses.get_regularization_losses())], float(s.run(off)))
        s.run(step, feed)
    print(s.run(w).round(4).tolist())
