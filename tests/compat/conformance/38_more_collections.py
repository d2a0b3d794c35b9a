"""more collections: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
def show(f):
    try:
        print(f())
    except Exception as e:
        print(type(e).__name__, str(e).split(" Originally")[0].split("\n")[0])
g = tf.get_default_graph()
w = tf.get_variable("w", [2])
show(lambda: tf.get_collection("nope"))
show(lambda: tf.get_collection_ref("nope").append(1))
show(lambda: tf.get_collection("nope"))
tf.add_to_collections({"p", "q"}, w)
tf.add_to_collections("pq", w)
print(tf.get_collection("p")[0] is w, tf.get_collection("q")[0] is w, tf.get_collection("pq")[0] is w)
tf.add_to_collection("p", 3); tf.add_to_collection("p", w); tf.add_to_collection("p", "str")
print(len(tf.get_collection("p")), len(tf.get_collection("p", scope="w")), len(tf.get_collection("p", scope="")), g.get_collection("p", "x"))
g.clear_collection("p"); g.clear_collection("never")
print(tf.get_collection("p"), tf.get_collection("p", "w"))
ref = g.get_collection_ref(tf.GraphKeys.TRAINABLE_VARIABLES)
del ref[:]
print(tf.trainable_variables(), len(tf.global_variables()))
tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, tf.constant(2.0, name="x/loss"))
tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, tf.constant(3.0, name="y/loss"))
with tf.Session() as s:
    print(s.run([tf.losses.get_regularization_loss(), tf.losses.get_regularization_loss(scope="x"), tf.losses.get_regularization_loss("z")]) == [5.0, 2.0, 0.0])
tf.losses.add_loss(tf.constant(1.0)); tf.losses.add_loss(tf.constant(4.0), loss_collection="other"); tf.losses.add_loss(tf.constant(4.0), loss_collection=None)
print([t.name for t in tf.losses.get_losses()], [t.name for t in tf.losses.get_losses(loss_collection="other")], tf.losses.get_losses(scope="a"))
print(tf.losses.get_total_loss(name="mine").name, tf.losses.get_total_loss(add_regularization_losses=False).name, tf.losses.get_regularization_loss(name="reg").name)
show(lambda: g.get_tensor_by_name("w"))
show(lambda: g.get_tensor_by_name("zz:0"))
show(lambda: g.get_operation_by_name("zz"))
show(lambda: g.get_operation_by_name("w").type)
show(lambda: g.get_tensor_by_name("w:0"))
show(lambda: tf.Graph().get_collection("variables"))
show(lambda: [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.LOSSES, tf.GraphKeys.ACTIVATIONS, tf.GraphKeys.MODEL_VARIABLES, tf.GraphKeys.MOVING_AVERAGE_VARIABLES, tf.GraphKeys.SUMMARIES])
show(lambda: [v.name for v in (tf.Variable(1.0, collections=["mine", "yours"]), tf.Variable(1.0, trainable=False))])
print(len(tf.get_collection("mine")), len(tf.get_collection("yours")), [v.name for v in tf.trainable_variables()], [v.name for v in tf.global_variables()])
with tf.variable_scope("sc") as sc:
    tf.get_variable("a", [1], trainable=False); tf.get_variable("b", [1])
print([v.name for v in sc.global_variables()], [v.name for v in sc.trainable_variables()], sc.local_variables(), [v.name for v in sc.get_collection("variables")])
print([v.name for v in tf.trainable_variables(sc.name)], [v.name for v in tf.global_variables("sc/a")])
