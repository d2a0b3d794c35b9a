"""averages: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np
T=tf.train
w=tf.get_variable("w",initializer=np.array([1.,2.],"f4")); b=tf.Variable(3.0,name="b",trainable=True)
n=tf.Variable(0,name="n",trainable=False)
g=tf.get_default_graph()
ema=T.ExponentialMovingAverage(0.9)
print(ema.average_name(w), ema.average(w), ema.name)
op=ema.apply([w,b]); print(op.name, op.type)
print([v.name for v in tf.global_variables()], [v.name for v in tf.moving_average_variables()], ema.average(w), ema.average_name(w), ema.average_name(n))
print(sorted((k,v.name) for k,v in ema.variables_to_restore().items()))
t=tf.reduce_sum(w)*2
e2=T.ExponentialMovingAverage(0.9,zero_debias=True,name="other"); op2=e2.apply([t, w]); print(op2.name, e2.average(t), [v.name for v in tf.global_variables()])
e3=T.ExponentialMovingAverage(0.99,num_updates=n); op3=e3.apply(); print(op3.name,[v.name for v in tf.global_variables()], [v.name for v in tf.trainable_variables()], [v.name for v in tf.get_collection(tf.GraphKeys.MOVING_AVERAGE_VARIABLES)])
for f in (lambda: ema.apply([n]), lambda: ema.apply([w,b]), lambda: T.ExponentialMovingAverage(0.5).apply([])):
    try: print(f().name)
    except Exception as e: print(type(e).__name__, e)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print(*s.run([ema.average(w),ema.average(b),e2.average(t),e3.average(w)]))
    for i in range(3):
        s.run(tf.assign(w,[5.,float(i)])); s.run(tf.assign_add(n,1))
        s.run([op,op2,op3])
        print(*s.run([ema.average(w),ema.average(b),e2.average(t),e2.average(w),e3.average(w)]))
print([o.name for o in g.get_operations() if o.type in("NoOp",) and "init" not in o.name][:40])
