"""What TensorFlow 1.15 makes of its learning-rate schedules, for the test beside it.

Run `python tests/optim/tensorflow_schedules.py` where TensorFlow 1.15 is installed. It reads the arguments and steps from
tensorflow_schedules.json and writes the values there, which are float32.
"""

import json
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")


def main():
    import tensorflow as tf

    content = json.loads(FILE.read_text())
    results = {}
    for entry, arguments in content["schedules"].items():
        with tf.Graph().as_default(), tf.Session() as session:
            step = tf.placeholder(tf.int32, ())
            schedule = getattr(tf.train, entry.split()[0])
            rate = schedule(step, **arguments) if "values" in arguments else schedule(global_step=step, **arguments)
            results[entry] = [float(str(session.run(rate, {step: i}))) for i in content["steps"]]
    parts = {"schedules": content["schedules"], "results": results}
    lines = {key: ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in part.items()) for key, part in parts.items()}
    body = ",\n".join(f'"{key}": {{\n{text}\n}}' for key, text in lines.items())
    FILE.write_text(f'{{\n"steps": {json.dumps(content["steps"])},\n{body}\n}}\n')


if __name__ == "__main__":
    main()
