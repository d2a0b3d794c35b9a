"""saver: written with fastreg, printed by TensorFlow 1.15.5."""
import os, tempfile
import numpy as np
T = tf.train
home = os.getcwd()
folder = tempfile.mkdtemp()
os.chdir(folder)
def text(path):
    with open(path) as file:
        return file.read()
def attempt(f):
    try:
        print("->", f())
    except Exception as e:
        print(type(e).__name__, "|", str(e).split("\n\t [[")[0].split(" (defined")[0].replace(folder, "FOLDER"))
try:
    attempt(lambda: T.Saver())
    attempt(lambda: T.Saver(allow_empty=True).save(tf.Session(), "x"))
    w = tf.get_variable("w", initializer=np.arange(3.0, dtype=np.float32))
    b = tf.get_variable("s/b", [2, 2], initializer=tf.ones_initializer())
    n = tf.Variable(7, name="n", trainable=False)
    p = tf.get_variable("p", [5, 2], initializer=tf.ones_initializer(), partitioner=tf.fixed_size_partitioner(2))
    loc = tf.get_local_variable("loc", initializer=1.0)
    step = T.AdamOptimizer(0.5).minimize(tf.nn.l2_loss(w) + tf.nn.l2_loss(b))
    s = T.Saver(max_to_keep=2)
    sess = tf.Session()
    try:
        s.save(sess, "./m.ckpt")
    except tf.errors.FailedPreconditionError as e:
        print("FailedPreconditionError", str(e)[:38])
    sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    for i in range(4):
        sess.run(step)
        print(s.save(sess, "./m.ckpt", global_step=i), s.last_checkpoints, T.latest_checkpoint("."))
    print(text("checkpoint"))
    print(sorted({f.split(".")[1] for f in os.listdir(".") if f.startswith("m.")}), T.checkpoint_exists("m.ckpt-1"), T.checkpoint_exists("m.ckpt-3"))
    state = T.get_checkpoint_state(".")
    print(state, list(state.all_model_checkpoint_paths), state.model_checkpoint_path)
    kept = sess.run(tf.global_variables())
    for _ in range(3):
        sess.run(step)
    print("%.5f" % sess.run(w)[1])
    s.restore(sess, T.latest_checkpoint("."))
    print("%.5f" % sess.run(w)[1], all(np.array_equal(a, c) for a, c in zip(kept, sess.run(tf.global_variables()))), sess.run(tf.convert_to_tensor(p)).tolist())
    with tf.Session() as fresh:
        s.restore(fresh, "m.ckpt-2")
        print("%.5f" % fresh.run(w)[1], fresh.run(n), fresh.run(tf.convert_to_tensor(p)).shape)
    attempt(lambda: s.save(sess, "m", global_step=n))
    print(text("checkpoint"))
    attempt(lambda: s.save(sess, os.path.join(folder, "deep", "abs")).replace(folder, "FOLDER"))
    print(text("deep/checkpoint").replace(folder, "FOLDER"))
    attempt(lambda: s.save(sess, "checkpoint"))
    attempt(lambda: s.save(sess, "x", latest_filename="a/b"))
    attempt(lambda: s.save("sess", "x"))
    attempt(lambda: s.restore(sess, None))
    attempt(lambda: s.restore(sess, "nothere"))
    attempt(lambda: T.latest_checkpoint("nowhere"))
    attempt(lambda: T.get_checkpoint_state("nowhere"))
    attempt(lambda: T.Saver([w, w]))
    attempt(lambda: T.Saver([tf.constant(1.0, name='one')]))
    attempt(lambda: T.Saver([]))
    attempt(lambda: T.Saver(5))
    attempt(lambda: T.Saver(w))
    other = T.Saver({"other": w})
    print(other.save(sess, "d", write_state=False), T.Saver(max_to_keep=None).save(sess, "k"), T.Saver([w], max_to_keep=0).save(sess, "k0"))
    print(text("checkpoint"))
    attempt(lambda: T.Saver({"other": b}).restore(sess, "d"))
    sess.run(w.assign([9, 9, 9]))
    other.restore(sess, "d")
    print("%.5f" % sess.run(w)[1], T.Saver([w], pad_step_number=True).save(sess, "pad", 7))
    try:
        T.Saver({"missing": w}).restore(sess, "d")
    except tf.errors.NotFoundError as e:
        print(isinstance(e, tf.errors.OpError), str(e)[:300].split(" in checkpoint")[0])
    with open("checkpoint", "w") as file:
        file.write("junk")
    attempt(lambda: T.latest_checkpoint("."))
    sess.close()
    attempt(lambda: s.save(sess, "m"))
finally:
    os.chdir(home)
