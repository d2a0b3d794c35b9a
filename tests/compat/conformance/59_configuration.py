"""configuration: written with fastreg, printed by TensorFlow 1.15.5."""
c=tf.ConfigProto(allow_soft_placement=True, log_device_placement=False); print(c.allow_soft_placement, c.log_device_placement, c.intra_op_parallelism_threads, c.gpu_options.allow_growth)
c.gpu_options.allow_growth=True; c.intra_op_parallelism_threads=2; c.gpu_options.per_process_gpu_memory_fraction=0.5
print(c.gpu_options.allow_growth, c.intra_op_parallelism_threads, "%.2f"%c.gpu_options.per_process_gpu_memory_fraction)
g=tf.GPUOptions(per_process_gpu_memory_fraction=0.25, allow_growth=True); c2=tf.ConfigProto(gpu_options=g, device_count={"GPU":0}); print(c2.gpu_options.allow_growth, c2.device_count["GPU"])
for f in (lambda: tf.ConfigProto(nothing=1), lambda: setattr(c,"nothing",1), lambda: tf.GPUOptions(grow=True)):
    try: print(f())
    except Exception as e: print(type(e).__name__, e)
w=tf.Variable(1.0,name="w"); v=tf.Variable(2.0,name="v")
with tf.Session(config=c) as s:
    print(s.run(tf.report_uninitialized_variables()).tolist(), s.run(tf.is_variable_initialized(w)))
    s.run(w.initializer)
    print(s.run(tf.report_uninitialized_variables()).tolist(), *s.run([tf.is_variable_initialized(w),tf.is_variable_initialized(v)]))
    s.run(tf.global_variables_initializer(), options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), run_metadata=tf.RunMetadata())
    s.run(tf.tables_initializer())
    print(s.run(tf.report_uninitialized_variables()).tolist(), tf.__version__, tf.VERSION, tf.string, tf.test.is_gpu_available(), tf.test.is_built_with_cuda(), repr(tf.test.gpu_device_name()))
print(tf.report_uninitialized_variables().name, tf.is_variable_initialized(w).name)
