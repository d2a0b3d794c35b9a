"""Checkpoints: what a file holds, and what happens when one cannot be written or read."""

import io
import random
import zipfile

import numpy as np
import pytest

import fastreg.compat.v1 as tf
from fastreg.compat.v1 import saver as saver_module


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def sess():
    with tf.Session() as sess:
        yield sess


def variable(name="w", value=(1.0, 2.0, 3.0)):
    return tf.get_variable(name, initializer=np.array(value, np.float32))


def test_the_file_is_one_of_numpys_and_any_name_can_be_saved(sess, tmp_path):
    """`file` is an argument of numpy.savez."""
    vs = [variable(name) for name in ("file", "a/b", "args")]
    half = tf.get_variable("half", initializer=np.array([[1, 2]], np.float16))
    sess.run(tf.global_variables_initializer())
    path = tf.train.Saver().save(sess, str(tmp_path / "new" / "model"))
    with np.load(path + ".npz", allow_pickle=False) as archive:
        assert set(archive) == {"file", "a/b", "args", "half"} and archive["half"].dtype == half.dtype.as_numpy_dtype
        assert all(np.array_equal(archive[v.op.name], sess.run(v)) for v in vs)


def test_a_write_that_fails_leaves_the_old_checkpoint(sess, tmp_path, monkeypatch):
    w = variable()
    sess.run(w.initializer)
    saver = tf.train.Saver()
    path = saver.save(sess, str(tmp_path / "model"))
    sess.run(w.assign([7.0, 8.0, 9.0]))

    def broken(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(saver_module.np.lib.format, "write_array", broken)
    with pytest.raises(OSError, match="full"):
        saver.save(sess, path)
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint", "model.npz"]
    saver.restore(sess, path)
    assert sess.run(w).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("cut", [0, 10, 100])
def test_a_file_that_is_cut_off_is_a_loss_of_data(sess, tmp_path, cut):
    w = variable()
    sess.run(w.initializer)
    saver = tf.train.Saver()
    path = saver.save(sess, str(tmp_path / "model"))
    file = tmp_path / "model.npz"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(tf.errors.DataLossError, match=r"Unable to read the checkpoint .*model\.npz"):
        saver.restore(sess, path)


def test_no_pickle_is_read_or_written(sess, tmp_path):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("a pickle was read",)

    w = variable()
    np.savez(tmp_path / "model.npz", w=np.array([Trap()], object))
    with pytest.raises(tf.errors.DataLossError, match="allow_pickle=False"):
        tf.train.Saver().restore(sess, str(tmp_path / "model"))
    text = tf.Variable("text", name="text")
    sess.run([w.initializer, text.initializer])
    with pytest.raises(TypeError, match="'text' holds strings"):
        tf.train.Saver().save(sess, str(tmp_path / "other"))
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_what_does_not_fit_changes_nothing(sess, tmp_path):
    w, b = variable(), variable("b")
    sess.run(tf.global_variables_initializer())
    path = tf.train.Saver().save(sess, str(tmp_path / "model"))
    with tf.Graph().as_default():
        ours, other = variable("w", (0.0, 0.0, 0.0)), tf.get_variable("b", [2, 3], initializer=tf.zeros_initializer())
        flat = tf.get_variable("flat", [3, 1], initializer=tf.zeros_initializer())
        new = [variable("new"), variable("newer")]
        with tf.Session() as second:
            second.run(tf.global_variables_initializer())
            with pytest.raises(
                tf.errors.InvalidArgumentError, match=r"lhs shape= \[2,3\] rhs shape= \[3\]\n\t \[\[variable b\]\]"
            ):
                tf.train.Saver([ours, other]).restore(second, path)
            with pytest.raises(
                tf.errors.NotFoundError, match=r"Key new not found .*neither are \['newer'\]. It has \['b', 'w'\]"
            ):
                tf.train.Saver([ours, *new]).restore(second, path)
            with pytest.raises(
                tf.errors.InvalidArgumentError, match="expected dtype int32 does not equal original dtype float32"
            ):
                tf.train.Saver({"w": ours, "b": tf.Variable(1, name="whole")}).restore(second, path)
            assert second.run(ours).tolist() == [0.0, 0.0, 0.0]
            tf.train.Saver({"b": flat}, reshape=True).restore(second, path)
            assert second.run(flat).tolist() == [[1.0], [2.0], [3.0]]
    assert sess.run([w, b])[0].tolist() == [1.0, 2.0, 3.0]


def test_a_variable_in_parts_is_saved_whole(sess, tmp_path):
    value = np.arange(10.0, dtype=np.float32).reshape(5, 2)
    tf.get_variable("p", [5, 2], partitioner=tf.fixed_size_partitioner(2))
    parts = tf.global_variables()
    sess.run([part.assign(a) for part, a in zip(parts, np.split(value, [3]), strict=True)])
    path = tf.train.Saver().save(sess, str(tmp_path / "model"))
    with tf.Graph().as_default():
        p = tf.get_variable("p", [5, 2], partitioner=tf.fixed_size_partitioner(5))
        with tf.Session() as second:
            tf.train.Saver().restore(second, path)
            assert np.array_equal(second.run(tf.convert_to_tensor(p)), value)


def test_one_checkpoint_for_each_time_stays(sess, tmp_path, monkeypatch):
    variable()
    sess.run(tf.global_variables_initializer())
    now = 1000.0
    monkeypatch.setattr(saver_module.time, "time", lambda: now)
    saver = tf.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=1.0)
    for step in range(8):
        saver.save(sess, str(tmp_path / "m"), global_step=step)
        now += 1300.0
    assert sorted(p.name for p in tmp_path.glob("*.npz")) == ["m-3.npz", "m-6.npz", "m-7.npz"]


def test_a_folder_can_be_moved_with_relative_paths(sess, tmp_path):
    w = variable()
    sess.run(w.initializer)
    tf.train.Saver(save_relative_paths=True).save(sess, str(tmp_path / "here" / "m"))
    (tmp_path / "here").rename(tmp_path / "there")
    assert tf.train.latest_checkpoint(str(tmp_path / "there")) == str(tmp_path / "there" / "m")


def test_a_state_without_its_checkpoint_is_said(sess, tmp_path, caplog):
    w = variable()
    sess.run(w.initializer)
    path = tf.train.Saver().save(sess, str(tmp_path / "m"))
    (tmp_path / "m.npz").unlink()
    assert tf.train.latest_checkpoint(str(tmp_path)) is None
    assert f"Couldn't match files for checkpoint {path}" in caplog.text


class Bomb:
    """What a pickle of an object can do to the process that loads it."""

    def __reduce__(self):
        return pytest.fail, ("code of a file was executed",)


def member(array=None, header=None, descr="'<f4'"):
    """Return the bytes of a member: an array's, or those of another header before the numbers."""
    file = io.BytesIO()
    if header is None and array is not None:
        np.lib.format.write_array(file, array, allow_pickle=True)
        return file.getvalue()
    text = header or f"{{'descr': {descr}, 'fortran_order': False, 'shape': (3,), }}"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + np.ones(3, np.float32).tobytes()


DAMAGED = {
    "a pickle": member(np.array([Bomb()], object)),
    "a header without an end": member(header="{'descr': '<f4', 'shape': ("),
    "a header of another kind": member(header="[1, 2]"),
    "a shape below 0": member(header="{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }"),
    "too few numbers": member(header="{'descr': '<f4', 'fortran_order': False, 'shape': (300,), }"),
    "no array": b"neither an array nor anything else",
    "times": member(np.zeros(3, "M8[s]")),
    "structs": member(np.zeros(3, "f4,f4")),
    "nothing": b"",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_member_is_a_loss_of_data_and_changes_nothing(sess, tmp_path, content):
    w, v = variable(), variable("v")
    sess.run(tf.global_variables_initializer())
    saver = tf.train.Saver()
    path = saver.save(sess, str(tmp_path / "model"))
    with zipfile.ZipFile(path + ".npz", "w") as archive:
        archive.writestr("w.npy", member(np.zeros(3, np.float32)))
        archive.writestr("v.npy", content)
    with pytest.raises(tf.errors.DataLossError, match=r"model\.npz"):
        saver.restore(sess, path)
    assert sess.run([w, v])[0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("seed", range(40))
def test_a_file_with_changed_bytes_is_read_or_refused(sess, tmp_path, seed):
    w, change = variable(), random.Random(seed)
    sess.run(w.initializer)
    saver = tf.train.Saver()
    path = saver.save(sess, str(tmp_path / "model"))
    file = tmp_path / "model.npz"
    content = bytearray(file.read_bytes())
    for _ in range(change.randrange(1, 6)):
        content[change.randrange(len(content))] = change.randrange(256)
    file.write_bytes(content)
    try:
        saver.restore(sess, path)
    except tf.errors.OpError as error:
        assert "model.npz" in str(error) or "checkpoint" in str(error)
        assert sess.run(w).tolist() == [1.0, 2.0, 3.0]
