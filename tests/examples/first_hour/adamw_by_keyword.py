"""AdamW's arguments have names, and other libraries' words are answered."""

import fastreg as fr

for arguments, options, word in (
    ((1e-3,), {}, "weight_decay="),
    ((), {"lr": 1e-3}, "learning_rate"),
    ((), {"betas": (0.9, 0.99)}, "beta1"),
):
    try:
        fr.optim.AdamW(*arguments, **options)
    except TypeError as error:
        assert word in str(error), error
    else:
        raise AssertionError(options)
assert "weight_decay=0.01" in repr(fr.optim.AdamW(weight_decay=0.01, cautious=True))
