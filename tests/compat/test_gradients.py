"""Each function's gradient, and the gradient's own, against central differences in float64.

A function of the public surface stands in one of three tables: CHECKS, WITHOUT (it has no gradient) or MAKERS (its arguments are
no tensors that a gradient could go to). A function that stands in none fails the test.
"""

import numpy as np
import pytest

import fastreg.compat.v1 as tf

RNG = np.random.default_rng(7)
A = RNG.permutation(np.linspace(-1.9, 2.1, 12)).reshape(3, 4)  # no two elements are equal, none is at a kink
B = RNG.permutation(np.linspace(-2.3, 1.7, 12)).reshape(3, 4)
ROW, COLUMN, SCALAR = A[1] * 0.7 + 0.05, B[:, :1] * 1.3, np.array(0.83)
POSITIVE = np.abs(A) + 0.3
SQUARE = B[:, :3]
BATCH = RNG.permutation(np.linspace(-1.4, 1.6, 24)).reshape(2, 3, 4)
OTHER = RNG.permutation(np.linspace(-1.2, 1.8, 40)).reshape(2, 4, 5)
IMAGES = RNG.permutation(np.linspace(-1.3, 1.7, 140)).reshape(2, 5, 7, 2)
KERNEL = RNG.permutation(np.linspace(-0.9, 1.1, 36)).reshape(3, 2, 2, 3)
LABELS = POSITIVE / POSITIVE.sum(1, keepdims=True)


def first(images):
    return np.moveaxis(images, -1, 1)


def conv(*args, **kwargs):
    return lambda x, k: tf.nn.conv2d(x, k, *args, **kwargs)


def pool(name, *args, **kwargs):
    return lambda x: getattr(tf.nn, name)(x, *args, **kwargs)


def by_images(sizes, *args, **kwargs):
    return lambda k, g: tf.nn.conv2d_backprop_input(sizes, k, g, *args, **kwargs)


def fused(**kwargs):
    return lambda x, scale, offset: tf.nn.fused_batch_norm(x, scale, offset, **kwargs)[0]


def each(names, cases, module=tf):
    """Return what `cases` makes of each of these functions."""
    return {name: cases(getattr(module, name)) for name in names.split()}


# The function's name: pairs of a function and its arguments, by all of which it is differentiated.
CHECKS = {
    **each(
        "abs ceil cos exp expm1 floor identity negative reciprocal round sigmoid sign sin square tanh", lambda f: [(f, [A])]
    ),
    **each("log log1p log_sigmoid rsqrt sqrt", lambda f: [(f, [POSITIVE])]),
    **each(
        "add maximum minimum multiply squared_difference subtract",
        lambda f: [(f, pair) for pair in ([A, B], [A, ROW], [ROW, B], [COLUMN, ROW], [A, SCALAR], [SCALAR, B])],
    ),
    **each(
        "div div_no_nan divide truediv floordiv floormod mod",
        lambda f: [(f, pair) for pair in ([A, POSITIVE], [ROW, POSITIVE], [COLUMN, np.abs(ROW) + 0.5])],
    ),
    "pow": [(tf.pow, pair) for pair in ([POSITIVE, A], [POSITIVE, ROW], [SCALAR, A])],
    "cast": [(lambda x: tf.cast(x, tf.float64), [A])],
    "to_double": [(tf.to_double, [A])],
    "where": [
        (lambda x, y: tf.where(A > 0.1, x, y), [A, B]),
        (lambda x, y: tf.where([True, False, True], x, y), [A, B]),
    ],
    "add_n": [(lambda x, y: tf.add_n([x, y, x]), [A, B])],
    "concat": [(lambda x, y: tf.concat([x, y, x], 1), [A, COLUMN]), (lambda x, y: tf.concat([x, y], -2), [A, B])],
    "stack": [(lambda x, y: tf.stack([x, y], 1), [A, B]), (lambda x, y: tf.stack([x, y], -1), [A, B])],
    "boolean_mask": [
        (lambda x: tf.boolean_mask(x, [True, False, True]), [A]),
        (lambda x: tf.boolean_mask(x, A > 0), [A]),
        (lambda x: tf.boolean_mask(x, [True, False, True, True], axis=1), [A]),
    ],
    "cumsum": [(tf.cumsum, [A]), (lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True), [A])],
    "diag_part": [(tf.diag_part, [SQUARE])],
    "expand_dims": [(lambda x: tf.expand_dims(x, 1), [A])],
    "fill": [(lambda v: tf.fill([2, 3], v), [SCALAR])],
    "gather": [
        (lambda x: tf.gather(x, [2, 0, 2]), [A]),
        (lambda x: tf.gather(x, [[1, 3], [1, 1]], axis=1), [A]),
        (lambda x: tf.gather(x, 1), [A]),
        (lambda x: tf.gather(x, [0, 0, 3]), [ROW]),
    ],
    "getitem": [
        (lambda x: x[1], [A]),
        (lambda x: x[:, 1:3], [A]),
        (lambda x: x[::-2, None, ..., -1], [A]),
        (lambda x: x[tf.constant(1) :, tf.constant(2)], [A]),
    ],
    "pad": [
        (lambda x: tf.pad(x, [[1, 0], [0, 2]]), [A]),
        (lambda x: tf.pad(x, [[1, 2], [3, 1]], "REFLECT"), [A]),
        (lambda x: tf.pad(x, [[2, 3], [0, 1]], "SYMMETRIC"), [A]),
    ],
    "placeholder_with_default": [(lambda x: tf.placeholder_with_default(x, [3, 4]), [A])],
    "reshape": [(lambda x: tf.reshape(x, [2, -1]), [A])],
    "reverse": [(lambda x: tf.reverse(x, [0]), [A])],
    "slice": [(lambda x: tf.slice(x, [0, 1], [2, -1]), [A])],
    "split": [(lambda x: tf.split(x, 2, 1)[1], [A]), (lambda x: tf.split(x, [1, -1, 1], 1)[1], [A])],
    "squeeze": [(lambda x: tf.squeeze(x, [1]), [COLUMN]), (tf.squeeze, [COLUMN])],
    "strided_slice": [(lambda x: tf.strided_slice(x, [0, 3], [3, 0], [2, -1]), [A])],
    "tile": [(lambda x: tf.tile(x, [2, 3]), [A])],
    "transpose": [(tf.transpose, [A]), (lambda x: tf.transpose(x, [2, 0, 1]), [BATCH])],
    "unstack": [(lambda x: tf.unstack(x, axis=1)[2], [A])],
    **each(
        "reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum",
        lambda f: [(f, [A]), (lambda x: f(x, 1), [A]), (lambda x: f(x, [0, -1], keepdims=True), [BATCH])],
    ),
    "top_k": [(lambda x: tf.nn.top_k(x, 2).values, [A])],
    "matmul": [
        (tf.matmul, [A, OTHER[0]]),
        (lambda x, y: tf.matmul(x, y, transpose_a=True), [A, B]),
        (lambda x, y: tf.matmul(x, y, transpose_b=True), [A, B]),
        (lambda x, y: tf.matmul(x, y, transpose_a=True, transpose_b=True), [A, OTHER[0].T[:, :3]]),
        (tf.matmul, [BATCH, OTHER]),
        (tf.matmul, [BATCH, OTHER[:1]]),
        (tf.matmul, [BATCH, OTHER[0]]),
        (lambda x, y: x @ y, [A, OTHER[0]]),
    ],
    "norm": [(tf.norm, [A]), (lambda x: tf.norm(x, 1), [A]), (lambda x: tf.norm(x, np.inf, axis=1), [A])],
    "tensordot": [
        (lambda x, y: tf.tensordot(x, y, 1), [BATCH, OTHER[0]]),
        (lambda x, y: tf.tensordot(x, y, [[1, 2], [0, 1]]), [BATCH, A]),
        (lambda x, y: tf.tensordot(x, y, [[2, 1], [1, 0]]), [BATCH, A]),
    ],
    "trace": [(tf.trace, [SQUARE])],
    "clip_by_value": [(lambda x: tf.clip_by_value(x, -1.0, 1.0), [A])],
    "clip_by_norm": [(lambda x, c=c, a=a: tf.clip_by_norm(x, c, a), [A]) for c, a in ((2.0, None), (2.0, [1]), (99.0, None))],
    "clip_by_global_norm": [(lambda x, y: tf.clip_by_global_norm([x, None, y], 2.0)[0][2], [A, B])],
    "global_norm": [(lambda x, y: tf.global_norm([x, y]), [A, B])],
    "l2_loss": [(tf.nn.l2_loss, [A])],
    **each("elu leaky_relu relu relu6 selu softplus softsign", lambda f: [(f, [A * 2.9])], tf.nn),
    **each("softmax log_softmax", lambda f: [(f, [A]), (lambda x: f(x, 0), [A])], tf.nn),
    "bias_add": [
        (tf.nn.bias_add, [BATCH, ROW]),
        (lambda x, b: tf.nn.bias_add(x, b, "NCHW"), [BATCH, B[:, 0]]),
    ],
    "xw_plus_b": [(tf.nn.xw_plus_b, [A, OTHER[0], OTHER[1, 0]])],
    "l2_normalize": [(lambda x: tf.nn.l2_normalize(x, 1), [A])],
    **{name: [(lambda x, f=name: getattr(tf.nn, f)(x, 2, 1.0, 0.5, 0.75), [first(IMAGES)])]
       for name in ("local_response_normalization", "lrn")},
    "moments": [(lambda x: tf.nn.moments(x, [0, 1])[0], [BATCH]), (lambda x: tf.nn.moments(x, [0])[1], [A])],
    "batch_normalization": [
        (lambda *t: tf.nn.batch_normalization(*t, 1e-3), [A, ROW, np.abs(ROW) + 0.2, B[0], B[1]]),
        (lambda x, m, v: tf.nn.batch_normalization(x, m, v, None, None, 1e-3), [A, ROW, np.abs(ROW) + 0.2]),
    ],
    "fused_batch_norm": [
        (fused(), [IMAGES, ROW[:2], ROW[2:]]),
        (fused(data_format="NCHW"), [first(IMAGES), ROW[:2], ROW[2:]]),
        (fused(mean=np.array([0.1, 0.2]), variance=np.array([0.5, 1.5]), is_training=False), [IMAGES, ROW[:2], ROW[2:]]),
    ],
    "dropout": [(lambda x: tf.nn.dropout(x, 0.6), [A]), (lambda x: tf.nn.dropout(x, noise_shape=[3, 1], rate=0.3), [A])],
    "embedding_lookup": [(lambda x: tf.nn.embedding_lookup(x, [[2, 0], [2, 2]]), [A])],
    "conv2d": [
        *[(conv(s, p, dilations=d), [IMAGES, KERNEL]) for s, p, d in (
            (1, "SAME", 1), (1, "VALID", 1), (2, "SAME", 1), ([1, 2, 3, 1], "VALID", 1), (1, "SAME", 2), (1, "VALID", [2, 1]),
            (1, [[0, 0], [1, 2], [0, 1], [0, 0]], 1), (2, [[0, 0], [3, 0], [0, 2], [0, 0]], 1), (2, "SAME", [1, 2]),
        )],
        (conv(2, "SAME", data_format="NCHW"), [first(IMAGES), KERNEL]),
        (conv(1, "SAME"), [IMAGES[..., :1], RNG.normal(size=(3, 3, 1, 5))]),
        (conv(1, "SAME"), [IMAGES, RNG.normal(size=(1, 1, 2, 3))]),
        (conv(3, "VALID"), [IMAGES, RNG.normal(size=(1, 1, 2, 3))]),
        (conv(1, [[0, 0], [5, 0], [0, 5], [0, 0]]), [IMAGES, KERNEL]),
    ],
    "conv2d_backprop_input": [
        (by_images([2, 5, 7, 2], 2, "SAME"), [KERNEL, RNG.normal(size=(2, 3, 4, 3))]),
        (by_images([2, 2, 5, 7], 1, "VALID", data_format="NCHW"), [KERNEL, RNG.normal(size=(2, 3, 3, 6))]),
    ],
    "conv2d_backprop_filter": [
        (lambda x, g: tf.nn.conv2d_backprop_filter(x, [3, 2, 2, 3], g, 2, "SAME"), [IMAGES, RNG.normal(size=(2, 3, 4, 3))]),
    ],
    "conv2d_transpose": [
        (lambda x, k: tf.nn.conv2d_transpose(x, k, [2, 9, 14, 2], 2, "SAME"), [RNG.normal(size=(2, 5, 7, 3)), KERNEL]),
    ],
    **{name: [
        *[(pool(name, k, s, p), [IMAGES]) for k, s, p in (
            (2, 2, "SAME"), (2, 2, "VALID"), ((3, 2), 1, "SAME"), (3, 2, "VALID"), (1, 3, "SAME"),
            ([1, 2, 3, 1], [1, 3, 2, 1], "SAME"),
        )],
        (pool(name, 2, 2, "SAME", data_format="NCHW"), [first(IMAGES)]),
    ] for name in ("max_pool", "avg_pool", "avg_pool2d")},
    "softmax_cross_entropy_with_logits": [
        (lambda x: tf.nn.softmax_cross_entropy_with_logits(labels=LABELS, logits=x), [A]),
    ],
    "softmax_cross_entropy_with_logits_v2": [
        (lambda x: tf.nn.softmax_cross_entropy_with_logits_v2(labels=LABELS, logits=x), [A]),
        (lambda x: tf.nn.softmax_cross_entropy_with_logits_v2(labels=LABELS.T, logits=x, axis=0), [A.T]),
        (lambda y: tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=A), [LABELS]),
        (lambda x: tf.nn.softmax_cross_entropy_with_logits_v2(labels=LABELS[:1], logits=x), [A]),
    ],
    "sparse_softmax_cross_entropy_with_logits": [
        (lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 3, 1], logits=x), [A]),
        (lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[[0, 3, 1], [1, 2, 2]], logits=x), [BATCH]),
    ],
    "sigmoid_cross_entropy_with_logits": [
        (lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x), [A, B]),
    ],
    "weighted_cross_entropy_with_logits": [
        (lambda x, y: tf.nn.weighted_cross_entropy_with_logits(y, x, 2.5), [A, B]),
    ],
}  # fmt: skip

# Of a tensor: functions to which no gradient goes.
WITHOUT = {
    **each(
        "argmax argmin is_finite is_inf is_nan ones_like rank shape size stop_gradient zeros_like to_int32 to_int64", lambda f: f
    ),
    **each("equal greater greater_equal less less_equal not_equal", lambda f: lambda x: f(x, B)),
    "in_top_k": lambda x: tf.nn.in_top_k(x, [0, 1, 2], 2),
    "logical_and": lambda x: tf.logical_and(x > 0, x > 1),
    "logical_or": lambda x: tf.logical_or(x > 0, x > 1),
    "logical_not": lambda x: tf.logical_not(x > 0),
    "logical_xor": lambda x: tf.logical_xor(x > 0, x > 1),
    "zero_fraction": tf.nn.zero_fraction,
    "one_hot": lambda x: tf.one_hot(tf.cast(x, tf.int32), 3),
    "range": lambda x: tf.range(tf.cast(x[0, 0], tf.int32)),
    "reduce_all": lambda x: tf.reduce_all(x > 0),
    "reduce_any": lambda x: tf.reduce_any(x > 0),
}  # fmt: skip
MAKERS = (
    "UnconnectedGradients eye gradients group no_op ones placeholder random_normal random_uniform to_float truncated_normal zeros"
)
ONCE = {  # a gradient that has no gradient, or, of moments as in TensorFlow, not the whole of it
    "clip_by_global_norm", "fused_batch_norm", "global_norm", "l2_loss", "moments", "norm", "reduce_max", "reduce_min",
    "reduce_prod", "tensordot",
}  # fmt: skip

CASES = [(name, i) for name, pairs in CHECKS.items() for i in range(len(pairs))]


def functions():
    """Return the names of the functions that tensors go into."""
    names = {name for listed in tf._OPERATIONS.values() for name in listed.split()} | {"stack"}
    return names | {name for name in vars(tf.nn) if not name.startswith("_")} | {"getitem"}


def test_each_function_stands_in_a_table():
    assert functions() == CHECKS.keys() | WITHOUT.keys() | set(MAKERS.split())


def compare(y, xs, values, feeds):
    """Compare the gradients of `y` with central differences along a few directions, and return them as tensors."""
    gradients, step = tf.gradients(y, xs), 1e-6
    for x, g in zip(xs, gradients, strict=True):
        session, at = tf.Session(), values[x]
        found = np.zeros(at.shape) if g is None else session.run(tf.convert_to_tensor(g), {**feeds, **values})
        assert found.shape == at.shape and not (isinstance(g, tf.Tensor) and g.shape != at.shape)
        for _ in range(4):
            way = RNG.normal(size=at.shape)
            ahead, behind = (session.run(y, {**feeds, **values, x: at + h * way}) for h in (step, -step))
            np.testing.assert_allclose(np.sum(found * way), np.sum(ahead - behind) / (2 * step), rtol=4e-6, atol=4e-8)
    return gradients


@pytest.mark.parametrize(("name", "case"), CASES, ids=str)
def test_gradient(name, case):
    function, arrays = CHECKS[name][case]
    with tf.Graph().as_default() as graph:
        xs = [tf.placeholder(tf.float64, a.shape) for a in arrays]
        values = dict(zip(xs, arrays, strict=True))
        z = function(*xs)
        noise = [op.outputs[0] for op in graph.get_operations() if op.type == "RandomUniform"]
        feeds = {t: RNG.uniform(size=t.shape.as_list()) for t in noise}
        shape = tf.Session().run(z, {**feeds, **values}).shape
        gradients = compare(z * RNG.normal(size=shape), xs, values, feeds)
        bent = [
            tf.reduce_sum(g * RNG.normal(size=x.shape)) for x, g in zip(xs, gradients, strict=True) if isinstance(g, tf.Tensor)
        ]
        if name in ONCE:
            return
        for g in bent:
            compare(g, xs, values, feeds)


@pytest.mark.parametrize("name", WITHOUT)
def test_no_gradient(name):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float64, A.shape)
        assert tf.gradients(WITHOUT[name](x), x) == [None]


# tf.losses compares in float32, so the differences are coarse.
LOSSES = {
    "absolute_difference": lambda x: tf.losses.absolute_difference(B, x, weights=COLUMN),
    "compute_weighted_loss": lambda x: tf.losses.compute_weighted_loss(x * x, np.abs(A)),
    "cosine_distance": lambda x: tf.losses.cosine_distance(B, x, 1),
    "hinge_loss": lambda x: tf.losses.hinge_loss(A > 0, x, weights=2.0),
    "huber_loss": lambda x: tf.losses.huber_loss(B, x, delta=0.9, weights=np.abs(ROW[None])),
    "log_loss": lambda x: tf.losses.log_loss(LABELS, tf.sigmoid(x)),
    "mean_squared_error": lambda x: tf.losses.mean_squared_error(B, x, reduction=tf.losses.Reduction.SUM_OVER_BATCH_SIZE),
    "sigmoid_cross_entropy": lambda x: tf.losses.sigmoid_cross_entropy(A > 0, x, label_smoothing=0.2),
    "softmax_cross_entropy": lambda x: tf.losses.softmax_cross_entropy(LABELS, x, [1.0, 0.0, 2.0], label_smoothing=0.1),
    "sparse_softmax_cross_entropy": lambda x: tf.losses.sparse_softmax_cross_entropy([[2], [0], [1]], x, [0.5, 2.0, 1.0]),
}


def test_each_loss_stands_in_the_table():
    assert {name for name in vars(tf.losses) if not name.startswith(("_", "get_", "add_"))} - {"Reduction"} == LOSSES.keys()


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_a_loss(name):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, A.shape)
        y = LOSSES[name](x)
        assert tf.losses.get_losses() == [y]
        session, step = tf.Session(), 1e-3
        found = session.run(tf.gradients(y, x)[0], {x: A})
        for _ in range(4):
            way = RNG.normal(size=A.shape)
            ahead, behind = (float(session.run(y, {x: A + h * way})) for h in (step, -step))
            assert np.sum(found * way) == pytest.approx((ahead - behind) / (2 * step), rel=2e-3, abs=5e-4)
