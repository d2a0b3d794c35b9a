"""layers: written with fastreg, printed by TensorFlow 1.15.5."""
L=tf.layers
x=tf.placeholder(tf.float32,[None,8,8,3]); t=tf.placeholder(tf.bool,[],name="t"); h=tf.placeholder(tf.float32,[4,5])
for f in [lambda: L.max_pooling2d(x,2,2), lambda: L.max_pooling2d(x,[3,2],(1,2),"same",name="pool1"),lambda: L.average_pooling2d(x,2,2,name="pool1"),lambda: L.max_pooling2d(x,2,2,data_format="channels_first"),
  lambda: L.dropout(x), lambda: L.dropout(x,training=True), lambda: L.dropout(h,0.3,training=t,name="drop"), lambda: L.dropout(h,0.0,training=True),
  lambda: L.batch_normalization(x), lambda: L.batch_normalization(x,training=True), lambda: L.batch_normalization(x,training=t,name="bn"), lambda: L.batch_normalization(h,training=True), lambda: L.batch_normalization(h,training=t), lambda: L.batch_normalization(h), lambda: L.batch_normalization(x,fused=False,training=True), lambda: L.batch_normalization(x,axis=1,training=True), lambda: L.batch_normalization(x,axis=2,training=True), lambda: L.batch_normalization(h,center=False,scale=False,training=True), lambda: L.batch_normalization(x,scale=False,training=True),lambda: L.batch_normalization(h,name="bn2",training=1, trainable=False), lambda: L.batch_normalization(h,name="bn2",reuse=True,training=True)]:
    n=len(tf.get_collection("update_ops"))
    y=f(); print(y, [u.name.replace('cond_2/Merge','AssignMovingAvg').replace('cond_3/Merge','AssignMovingAvg_1') for u in tf.get_collection("update_ops")[n:]])
print([v.name for v in tf.trainable_variables()]); print([v.name for v in tf.get_collection("model_variables")])
for f in [lambda: L.max_pooling2d(x,2,None), lambda: L.max_pooling2d(h,2,2), lambda: L.max_pooling2d(x,2,2,"sames"), lambda: L.max_pooling2d(x,(1,2,3),2), lambda: L.batch_normalization(tf.placeholder(tf.float32)), lambda: L.batch_normalization(h,axis=7),lambda: L.batch_normalization(tf.placeholder(tf.float32,[None,None])),lambda: L.batch_normalization(h,axis="x"), lambda: L.dropout(h,1.5,training=True), lambda: L.max_pooling2d(x,9,2),lambda: L.batch_normalization(h,axis=[1])]:
    try: print(f())
    except Exception as e: print(type(e).__name__, str(e).strip().splitlines()[-1].strip().replace("ValueError: ",""))
l=L.BatchNormalization(name="obj", gamma_regularizer=tf.contrib.layers.l2_regularizer(0.1), beta_regularizer=tf.contrib.layers.l1_regularizer(0.1)); l(h,training=True); l(h,training=True)
print([v.name for v in l.variables],[v.name for v in l.trainable_variables],[v.name for v in l.non_trainable_variables],[u.name for u in l.updates], len(tf.get_collection("update_ops")), [q.name for q in tf.get_collection("regularization_losses")])
for l in (L.Dropout(0.3,name="d"), L.MaxPooling2D(2,2), L.Flatten()): print(l.name, l(x), l.variables, l.losses, l.updates)
