"""train ops and slim losses: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
slim=tf.contrib.slim; C=tf.contrib.layers; T=tf.train
def model():
    tf.reset_default_graph()
    x=tf.placeholder(tf.float32,[None,3]); 
    w=tf.get_variable("w",initializer=np.ones((3,2),"f4"),regularizer=slim.l2_regularizer(0.1)); b=tf.get_variable("b",initializer=np.zeros(2,"f4"))
    loss=tf.reduce_mean(tf.square(tf.matmul(x,w)+b-1.0))+tf.losses.get_regularization_loss()
    return x,w,b,loss
X=np.arange(6.,dtype="f4").reshape(2,3)/3
def run(x,op,vs,n=3):
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        for _ in range(n): print("   %.5f"%s.run(op,{x:X}), ["%.5f"%v for v in s.run(vs[0]).ravel()[:3]], s.run(T.get_global_step()) if T.get_global_step() is not None else None)
x,w,b,loss=model(); op=slim.learning.create_train_op(loss,T.GradientDescentOptimizer(0.1)); print(op.name,T.get_global_step().name, [o.name for o in tf.get_collection("train_op")]); run(x,op,[w])
x,w,b,loss=model(); op=slim.learning.create_train_op(loss,T.MomentumOptimizer(0.1,0.9),global_step=None,clip_gradient_norm=0.5,variables_to_train=[w],gradient_multipliers={"w":2.0},update_ops=[]); print(op.name); run(x,op,[w])
x,w,b,loss=model(); gs=T.create_global_step(); op=C.optimize_loss(loss,gs,0.1,"SGD"); print(op.name,[v.name for v in tf.global_variables()],gs.name,gs.dtype); run(x,op,[w])
x,w,b,loss=model(); gs=T.get_or_create_global_step(); op=C.optimize_loss(loss,gs,0.1,T.AdamOptimizer,clip_gradients=0.1,learning_rate_decay_fn=lambda r,s: T.exponential_decay(r,s,2,0.5),name="opt"); print(op.name,[v.name for v in tf.global_variables()]); run(x,op,[w])
x,w,b,loss=model(); T.get_or_create_global_step(); op=C.optimize_loss(loss,None,tf.constant(0.1),lambda lr: T.MomentumOptimizer(lr,0.5),variables=[b],gradient_multipliers={b:0.5},increment_global_step=False,summaries=[]); print(op.name); run(x,op,[b])
x,w,b,loss=model(); gs=T.get_or_create_global_step()
for f in (lambda: T.create_global_step(), lambda: C.optimize_loss(loss,gs,None,"SGD"), lambda: C.optimize_loss(loss,gs,0.1,"Nope"), lambda: C.optimize_loss(loss,gs,-1.0,"SGD"), lambda: C.optimize_loss(loss,gs,"x","SGD"), lambda: C.optimize_loss(loss,gs,0.1,5), lambda: C.optimize_loss(loss,gs,0.1,"SGD",clip_gradients="a"), lambda: C.optimize_loss(loss,gs,0.1,"SGD",summaries=["what"])):
    try: print(f())
    except Exception as e: print(type(e).__name__, e)
with tf.Session() as s:
    s.run(tf.global_variables_initializer()); print(T.global_step(s,gs))
# slim.losses
tf.reset_default_graph()
S=slim.losses
lo=tf.constant([[2.,-1.,.5],[0.,1.,3.]]); oh=tf.constant([[1.,0.,0.],[0.,1.,0.]]); la=tf.constant([0,1])
ls=[S.softmax_cross_entropy(lo,oh), S.softmax_cross_entropy(lo,oh,weights=0.5,label_smoothing=0.1), S.sparse_softmax_cross_entropy(lo,la), S.sigmoid_cross_entropy(lo,oh,label_smoothing=0.2), S.mean_squared_error(lo,oh), S.absolute_difference(lo,oh,weights=2.0), S.log_loss(tf.sigmoid(lo),oh)]
print([l.name for l in ls],[l.name for l in S.get_losses()], S.get_total_loss().name)
with tf.Session() as s: print(["%.5f"%v for v in s.run(ls)], "%.5f"%s.run(S.get_total_loss(add_regularization_losses=False)))
# a rate that is a variable, and where Adam's powers stand
tf.reset_default_graph()
rate = tf.Variable(0.5, trainable=False, name="rate")
with tf.name_scope("training"):
    w = tf.get_variable("w", initializer=np.array([1.0, 2.0], np.float32))
    step = T.GradientDescentOptimizer(rate).minimize(tf.nn.l2_loss(w), global_step=tf.Variable(0, name="global_step", trainable=False))
    adam = T.AdamOptimizer(0.1).minimize(tf.nn.l2_loss(w))
print([v.name for v in tf.global_variables()], T.get_global_step())
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    s.run(step); s.run(rate.assign(0.25)); s.run(step)
    print(s.run(w))
