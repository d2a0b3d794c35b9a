"""a tower with weight decay, averages of losses and of weights: written with fastreg, printed by TensorFlow 1.15.5."""
import numpy as np, re
rng=np.random.RandomState(0)
def _variable_with_weight_decay(name, shape, stddev, wd):
    var=tf.get_variable(name, shape, initializer=tf.constant_initializer(rng.randn(*shape)*stddev), dtype=tf.float32)
    if wd is not None:
        weight_decay=tf.multiply(tf.nn.l2_loss(var), wd, name='weight_loss')
        tf.add_to_collection('losses', weight_decay)
    return var
def inference(images):
    with tf.variable_scope('conv1') as scope:
        kernel=_variable_with_weight_decay('weights',[3,3,1,4],0.3,0.0)
        conv=tf.nn.conv2d(images,kernel,[1,1,1,1],padding='SAME')
        biases=tf.get_variable('biases',[4],initializer=tf.constant_initializer(0.0))
        conv1=tf.nn.relu(tf.nn.bias_add(conv,biases),name=scope.name)
        x=conv1
        tf.summary.histogram(re.sub('tower_[0-9]*/','',x.op.name)+'/activations',x); tf.summary.scalar(x.op.name+'/sparsity',tf.nn.zero_fraction(x))
    pool1=tf.nn.max_pool(conv1,ksize=[1,3,3,1],strides=[1,2,2,1],padding='SAME',name='pool1')
    norm1=tf.nn.lrn(pool1,4,bias=1.0,alpha=0.001/9.0,beta=0.75,name='norm1')
    with tf.variable_scope('local3') as scope:
        reshape=tf.reshape(norm1,[8,-1]); dim=reshape.get_shape()[1].value
        weights=_variable_with_weight_decay('weights',[dim,6],0.1,0.004)
        biases=tf.get_variable('biases',[6],initializer=tf.constant_initializer(0.1))
        local3=tf.nn.relu(tf.matmul(reshape,weights)+biases,name=scope.name)
    with tf.variable_scope('softmax_linear') as scope:
        weights=_variable_with_weight_decay('weights',[6,3],1/6.0,None)
        biases=tf.get_variable('biases',[3],initializer=tf.constant_initializer(0.0))
        return tf.add(tf.matmul(local3,weights),biases,name=scope.name)
def loss_fn(logits,labels):
    labels=tf.cast(labels,tf.int64)
    ce=tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels,logits=logits,name='cross_entropy_per_example')
    cem=tf.reduce_mean(ce,name='cross_entropy'); tf.add_to_collection('losses',cem)
    return tf.add_n(tf.get_collection('losses'),name='total_loss')
def train(total_loss,global_step):
    lr=tf.train.exponential_decay(0.1,global_step,5,0.5,staircase=True); tf.summary.scalar('learning_rate',lr)
    loss_averages=tf.train.ExponentialMovingAverage(0.9,name='avg'); losses=tf.get_collection('losses')
    loss_averages_op=loss_averages.apply(losses+[total_loss])
    for l in losses+[total_loss]:
        tf.summary.scalar(l.op.name+' (raw)',l); tf.summary.scalar(l.op.name,loss_averages.average(l))
    with tf.control_dependencies([loss_averages_op]):
        opt=tf.train.GradientDescentOptimizer(lr); grads=opt.compute_gradients(total_loss)
    apply_gradient_op=opt.apply_gradients(grads,global_step=global_step)
    for var in tf.trainable_variables(): tf.summary.histogram(var.op.name,var)
    for grad,var in grads:
        if grad is not None: tf.summary.histogram(var.op.name+'/gradients',grad)
    va=tf.train.ExponentialMovingAverage(0.9999,global_step)
    with tf.control_dependencies([apply_gradient_op]):
        variables_averages_op=va.apply(tf.trainable_variables())
    return variables_averages_op, loss_averages, losses+[total_loss]
with tf.Graph().as_default():
    global_step=tf.train.get_or_create_global_step()
    images=tf.placeholder(tf.float32,[8,6,6,1]); labels=tf.placeholder(tf.int32,[8])
    logits=inference(images); loss=loss_fn(logits,labels); train_op,avg,ls=train(loss,global_step)
    saver=tf.train.Saver(tf.global_variables(),max_to_keep=3)
    print([l.op.name for l in ls],[avg.average(l).op.name for l in ls], train_op.name)
    print([v.name for v in tf.global_variables()])
    X=rng.rand(8,6,6,1); Y=rng.randint(0,3,8)
    with tf.Session(config=tf.ConfigProto(log_device_placement=False)) as s:
        s.run(tf.global_variables_initializer())
        for i in range(8):
            _,v=s.run([train_op,loss],{images:X,labels:Y}); assert not np.isnan(v); print("%.5f"%v,end=" ")
        print(["%.5f"%s.run(avg.average(l)) for l in ls], s.run(global_step))
