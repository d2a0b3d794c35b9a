"""What TensorFlow 1.15 makes of a few steps of every update rule, for the tests beside it.

Run `python tests/optim/tensorflow_steps.py` where TensorFlow 1.15 is installed. It reads the inputs and arguments from
tensorflow_steps.json and writes the results there. All numbers are exact in float32, as TensorFlow's hyperparameters and powers
of beta are. TensorFlow has no proximal rules in float64.
"""

import json
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")


def run(tf, np, entry, arguments, data, dtype):
    """Return the weights and slots after the last step."""
    optimizers = {"AdamW": tf.contrib.opt.AdamWOptimizer, "MomentumW": tf.contrib.opt.MomentumWOptimizer}
    rule = entry.split()[0]
    with tf.Graph().as_default():
        v = tf.get_variable("v", initializer=np.array(data["weights"], dtype))
        gradient, rows = tf.placeholder(dtype), tf.placeholder(tf.int32)
        gradient.set_shape([None, *v.shape[1:]])
        optimizer = (optimizers.get(rule) or getattr(tf.train, rule + "Optimizer"))(**arguments)
        step = optimizer.apply_gradients([(tf.IndexedSlices(gradient, rows) if "rows" in data else gradient, v)])
        slots = {name: optimizer.get_slot(v, name) for name in optimizer.get_slot_names()}
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for i, g in enumerate(data["gradients"]):
                session.run(step, {gradient: np.array(g, dtype), **({rows: data["rows"][i]} if "rows" in data else {})})
            found = session.run({"weights": v, **slots})
    return {name: [float(str(x)) for x in array.ravel()] for name, array in sorted(found.items())}


def main():
    import numpy as np
    import tensorflow as tf

    content = json.loads(FILE.read_text())
    results = {}
    for kind in ("whole", "rows"):
        for entry, arguments in content["rules"].items():
            for dtype in ("float32", "float64"):
                if not (entry.startswith("Proximal") and dtype == "float64"):
                    results[f"{entry}, {kind}, {dtype}"] = run(tf, np, entry, arguments, content[kind], dtype)
    lines = {
        key: ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in part.items())
        for key, part in {**content, "results": results}.items()
    }
    FILE.write_text("{\n" + ",\n".join(f'"{key}": {{\n{text}\n}}' for key, text in lines.items()) + "\n}\n")


if __name__ == "__main__":
    main()
