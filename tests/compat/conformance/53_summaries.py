"""summaries: written with fastreg, printed by TensorFlow 1.15.5."""
import os, tempfile
x = tf.placeholder(tf.float32, [], name="x")
print(tf.summary.merge_all())
loss = tf.multiply(x, 2.0, name="loss")
with tf.name_scope("train"):
    a = tf.summary.scalar("loss", loss)
b = tf.summary.scalar("loss", loss)
c = tf.summary.histogram("weights/w:0", tf.ones([3]), collections=["mine"])
d = tf.summary.scalar("in", loss, family="group")
every = tf.summary.merge_all()
print(a, b, c, d, every, tf.summary.merge([a, b]), sep="\n")
print([t.name for t in tf.get_collection(tf.GraphKeys.SUMMARIES)], len(tf.get_collection("mine")), tf.summary.merge_all("mine").name)
print(tf.identity(x, name="loss").name)
folder = tempfile.mkdtemp()
with tf.Session() as sess:
    writer = tf.summary.FileWriter(folder, sess.graph)
    for i in range(2):
        value, text = sess.run([loss, every], {x: 1.0 + i})
        writer.add_summary(text, i)
        writer.add_summary(text, global_step=i)
        print(value, isinstance(text, bytes))
    writer.add_graph(sess.graph)
    writer.flush()
    writer.close()
print(writer.get_logdir() == folder)
