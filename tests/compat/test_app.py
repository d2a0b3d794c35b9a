"""Scripts with a command line, by subprocesses: flags belong to a process."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import fastreg

SCRIPT = """
import sys
import fastreg.compat.v1 as tf

flags = tf.app.flags
flags.DEFINE_string("data_dir", "/tmp/x", "Where data is.")
flags.DEFINE_integer("steps", 100, "Number of steps.")
flags.DEFINE_float("rate", 1, "Rate.")
flags.DEFINE_boolean("fake", False, "Fake data.")
tf.flags.DEFINE_bool("real", True, "Real.")
flags.DEFINE_enum("mode", "a", ["a", "b"], "Mode.")
flags.DEFINE_list("items", ["x"], "Items.")
FLAGS = tf.flags.FLAGS

def main(argv):
    print(FLAGS.data_dir, FLAGS.steps, FLAGS.rate, FLAGS.fake, FLAGS.real, FLAGS.mode, FLAGS.items, argv[1:])
    return 3 if "three" in argv else None

if __name__ == "__main__":
    if "direct" in sys.argv:
        main([])
    else:
        tf.app.run()
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(Path(fastreg.__file__).parents[1])}

    def run(*arguments):
        command = [sys.executable, str(path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return run


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [  # what absl of TensorFlow 1.15.5 made of them
        ("", "/tmp/x 100 1.0 False True a ['x'] []"),
        ("--steps=3 --rate 0.5 --fake --noreal rest a", "/tmp/x 3 0.5 True False a ['x'] ['rest', 'a']"),
        ("--fake=true --real=false --data_dir= x --mode=b --items=a,b", " 100 1.0 True False b ['a', 'b'] ['x']"),
        ("--stepz=3 --nosteps", "/tmp/x 100 1.0 False True a ['x'] ['--stepz=3', '--nosteps']"),
        ("-steps 4 -rate=.25", "/tmp/x 4 0.25 False True a ['x'] []"),
        ("--steps=3 -- --rate=4", "/tmp/x 3 1.0 False True a ['x'] ['--', '--rate=4']"),
        ("x --steps=0x10 --real 0", "/tmp/x 16 1.0 False True a ['x'] ['x', '0']"),
        ("direct --steps=-3", "/tmp/x -3 1.0 False True a ['x'] []"),
    ],
)
def test_arguments(script, arguments, printed):
    done = script(*arguments.split())
    assert (done.returncode, done.stdout, done.stderr) == (0, printed + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("--steps=x", "IllegalFlagValueError: flag --steps=x: invalid literal for int() with base 10: 'x'"),
        ("--steps=1.5", "IllegalFlagValueError: flag --steps=1.5: invalid literal for int() with base 10: '1.5'"),
        ("--mode=c", "IllegalFlagValueError: flag --mode=c: value should be one of <a|b>"),
        ("--fake=maybe", "IllegalFlagValueError: flag --fake=maybe: ('Non-boolean argument to boolean flag', 'maybe')"),
        ("--steps", "Error: Missing value for flag --steps"),
        ("direct --stepz=3", "UnrecognizedFlagError: Unknown command line flag 'stepz'"),
    ],
)
def test_wrong_arguments(script, arguments, error):
    done = script(*arguments.split())
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "fastreg.compat.v1.flags." + error


def test_the_result_of_main_is_the_exit_status(script):
    assert script("three").returncode == 3


def test_help(script):
    done = script("--help")
    assert done.returncode == 1
    assert textwrap.dedent("""
        flags:

        {path}:
          --data_dir: Where data is.
            (default: '/tmp/x')
          --[no]fake: Fake data.
            (default: 'false')
          --items: Items.
            (default: 'x')
            (a comma separated list)
          --mode: <a|b>: Mode.
            (default: 'a')
          --rate: Rate.
            (default: '1.0')
            (a number)
          --[no]real: Real.
            (default: 'true')
          --steps: Number of steps.
            (default: '100')
            (an integer)
        """).format(path=done.args[1]) in done.stdout  # fmt: skip


def test_flags_are_set_asked_for_and_defined_once():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent("""
            import fastreg.compat.v1 as tf
            F = tf.flags.FLAGS
            tf.flags.DEFINE_integer("n", None, "N.")
            tf.flags.mark_flag_as_required("n")
            try:
                F.n
            except tf.flags.IllegalFlagValueError as error:
                print(error)
            F.n = 5
            print(F.n, "n" in F, F["n"].value, F["n"].default, F.flag_values_dict(), list(F))
            for wrong in (lambda: F.nothing, lambda: setattr(F, "nothing", 1), lambda: tf.flags.DEFINE_float("n", 1.0, "")):
                try:
                    wrong()
                except (AttributeError, tf.flags.DuplicateFlagError) as error:
                    print(type(error).__name__, error)
            """)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "flag --n=None: Flag --n must have a value other than None.",
        "5 True 5 None {'n': 5} ['n']",
        "AttributeError nothing",
        "AttributeError nothing",
        "DuplicateFlagError The flag 'n' is defined twice.",
    ]


def test_summaries_say_once_that_nothing_is_written(tmp_path):
    folder = tmp_path / "logs"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(f"""
            import fastreg.compat.v1 as tf
            tf.summary.scalar("a", tf.constant(1.0))
            tf.summary.histogram("b", tf.constant(1.0))
            with tf.summary.FileWriter({str(folder)!r}) as writer:
                writer.add_summary(tf.Session().run(tf.summary.merge_all()))
            """)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.count("tf.summary writes nothing") == 1 and not folder.exists()


def test_messages_go_to_stderr_from_the_level_that_is_set():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent("""
            import fastreg.compat.v1 as tf
            log = tf.logging
            log.info("not seen")
            log.set_verbosity(log.INFO)
            for i in range(5):
                log.log_first_n(log.INFO, "first %d", 2, i)
                log.log_every_n(log.WARN, "every %d", 3, i)
                log.log_if(log.ERROR, "if %d", i == 4, i)
            log.debug("nor this")
            log.info("level %d", log.get_verbosity())
            log.flush()
            """)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.splitlines() == [
        "INFO:fastreg:first 0",
        "WARNING:fastreg:every 0",
        "INFO:fastreg:first 1",
        "WARNING:fastreg:every 3",
        "ERROR:fastreg:if 4",
        "INFO:fastreg:level 20",
    ]
