"""The version, what there is, and help by topic."""

import fastreg as fr

assert fr.__version__.count(".") == 2
assert all(not name.startswith("_") or name.startswith("__") for name in dir(fr))
assert "Update rules" in fr.__doc__
with fr.Graph().as_default():
    fr.get_variable("w", shape=(2,))
    try:
        fr.get_variable("w", shape=(2,))
    except ValueError as error:
        assert any("reset_default_graph" in note for note in error.__notes__)
