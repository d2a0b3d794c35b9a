"""`fastreg.interop.torch` beside torch itself."""

import copy
import io
import itertools
import math
import pickle
import signal

import numpy as np
import pytest

import fastreg as fr

torch = pytest.importorskip("torch", reason="torch is not installed; it comes with the extra fastreg[torch]")

from torch import nn  # noqa: E402

from fastreg.interop import torch as ours  # noqa: E402

# An epsilon this large shows where a formula has it.
RULES = {
    "AdamW": ("AdamW", {"eps": 0.05, "weight_decay": 0.3}),
    "AdamW plain": ("AdamW", {"eps": 0.05, "weight_decay": 0.0}),
    "Adam": ("Adam", {"eps": 0.05, "betas": (0.8, 0.95)}),
    "Adam L2": ("Adam", {"eps": 0.05, "weight_decay": 0.2}),
    "Adam decoupled": ("Adam", {"eps": 0.05, "weight_decay": 0.2, "decoupled_weight_decay": True}),
    "Adam maximize": ("Adam", {"eps": 0.05, "weight_decay": 0.2, "maximize": True}),
    "SGD": ("SGD", {}),
    "SGD L2": ("SGD", {"weight_decay": 0.2}),
    "SGD maximize": ("SGD", {"weight_decay": 0.2, "maximize": True, "momentum": 0.9}),
    "SGD momentum": ("SGD", {"momentum": 0.9}),
    "SGD nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.2}),
    "RMSprop": ("RMSprop", {"eps": 0.05}),
    "RMSprop alpha 0": ("RMSprop", {"eps": 0.05, "alpha": 0.0}),
    "RMSprop L2": ("RMSprop", {"eps": 0.05, "weight_decay": 0.2, "alpha": 0.9}),
    "RMSprop momentum": ("RMSprop", {"eps": 0.05, "momentum": 0.9}),
    "RMSprop centered": ("RMSprop", {"eps": 0.05, "centered": True}),
    "RMSprop centered momentum": ("RMSprop", {"eps": 0.05, "centered": True, "momentum": 0.9, "maximize": True}),
    "Adagrad": ("Adagrad", {"eps": 0.05}),
    "Adagrad decay": ("Adagrad", {"eps": 0.05, "lr_decay": 0.1, "weight_decay": 0.2, "initial_accumulator_value": 0.5}),
}
DTYPES = [torch.float32, torch.float64]
SHAPES = [(33, 7), (), (5000,), (0, 3), (4, 1, 9)]
LR = 0.05

rules = pytest.mark.parametrize("rule", RULES)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def make(library, rule, parameters, **options):
    name, own = RULES[rule]
    return getattr(library, name)(parameters, **{"lr": LR, **own, **options})


def parameters(dtype, seed=0):
    numbers = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=numbers, dtype=torch.float64).to(dtype)) for shape in SHAPES]


def set_gradients(found, seed):
    """Give each parameter the same gradient, whatever its dtype: numbers of float32."""
    numbers = torch.Generator().manual_seed(1000 + seed)
    for parameter in found:
        parameter.grad = torch.randn(parameter.shape, generator=numbers).to(parameter.dtype)


def run(optimizer, found, steps, scheduler=None):
    for step in steps:
        set_gradients(found, step)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


def assert_close(found, exact, n_ulps=32):
    """Hold numbers against torch's in float64: within some roundings of the largest weight."""
    for one, other in zip(found, exact, strict=True):
        if one.numel():
            limit = n_ulps * torch.finfo(one.dtype).eps * max(1.0, float(other.detach().abs().max()))
            assert float((one.detach().double() - other.detach()).abs().max()) <= limit


def bytes_of(tensors):
    return [x.detach().numpy().tobytes() for x in tensors]


# ------------------------------------------------------------------------------------------------------------- formulas
@dtypes
@rules
def test_a_hundred_steps_are_torchs(rule, dtype):
    found, exact = parameters(dtype), [p.detach().double().requires_grad_() for p in parameters(dtype)]
    for library, tensors in ((ours, found), (torch.optim, exact)):
        run(make(library, rule, tensors), tensors, range(100))
    assert_close(found, exact)


@rules
def test_the_numbers_of_a_step_are_visible(rule):
    """A rule that computes with other numbers is told apart by the comparison above."""
    found, exact = parameters(torch.float32), parameters(torch.float64)
    run(make(ours, rule, found, lr=LR * (1 + 1e-4)), found, range(100))
    run(make(torch.optim, rule, exact), exact, range(100))
    with pytest.raises(AssertionError):
        assert_close(found, exact)


@dtypes
@pytest.mark.parametrize("first", [ours, torch.optim], ids=["from fastreg", "from torch"])
@rules
def test_a_state_goes_to_and_fro_in_mid_run(rule, first, dtype):
    exact, found = parameters(torch.float64), parameters(dtype)
    for tensor, same in zip(exact, found, strict=True):
        tensor.data = same.detach().double()
    run(make(torch.optim, rule, exact), exact, range(30))
    libraries = itertools.cycle([first, torch.optim if first is ours else ours])
    state = None
    for start in range(0, 30, 10):
        optimizer = make(next(libraries), rule, found)
        if state is not None:
            file = io.BytesIO()
            torch.save(state, file)
            file.seek(0)
            optimizer.load_state_dict(torch.load(file))
        run(optimizer, found, range(start, start + 10))
        state = optimizer.state_dict()
    assert_close(found, exact)


@rules
def test_the_state_has_torchs_names_shapes_and_dtypes(rule):
    found, same = parameters(torch.float32), parameters(torch.float32)
    one, other = make(ours, rule, found), make(torch.optim, rule, same)
    run(one, found, range(3))
    run(other, same, range(3))
    one_state, other_state = one.state_dict(), other.state_dict()
    assert one_state["param_groups"] == other_state["param_groups"]
    assert one_state["state"].keys() == other_state["state"].keys()
    for key, own in other_state["state"].items():
        more = {"momentum_buffer"} if rule == "RMSprop centered" else set()
        assert one_state["state"][key].keys() - more == own.keys()
        for name, tensor in own.items():
            mine = one_state["state"][key][name]
            assert (mine.shape, mine.dtype) == (tensor.shape, tensor.dtype)
            assert name != "step" or mine == tensor == 3


def test_state_tensors_share_memory_with_the_slots():
    found = parameters(torch.float64)
    optimizer = make(ours, "Adam", found)
    run(optimizer, found, range(2))
    same = copy.deepcopy(found)
    other = make(torch.optim, "Adam", same)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # torch would take the tensors themselves
    for library, tensors in ((optimizer, found), (other, same)):
        for parameter in tensors:
            library.state[parameter]["exp_avg"].mul_(3)
            library.state[parameter]["exp_avg_sq"] = library.state[parameter]["exp_avg_sq"] + 2
            library.state[parameter]["step"].add_(5)
        run(library, tensors, range(2, 4))
    assert_close(found, same)


def test_a_parameter_may_get_other_memory():
    found, same = parameters(torch.float64), parameters(torch.float64)
    one, other = make(ours, "Adam", found), make(torch.optim, "Adam", same)
    for step in range(3):
        for tensors in (found, same):
            for parameter in tensors:
                parameter.data = parameter.data * 0.5
        run(one, found, [step])
        run(other, same, [step])
    assert_close(found, same)


def schedules():
    lr = torch.optim.lr_scheduler
    return {
        "StepLR": lambda optimizer: lr.StepLR(optimizer, 7, gamma=0.5),
        "OneCycleLR": lambda optimizer: lr.OneCycleLR(optimizer, max_lr=0.1, total_steps=60),
        "LambdaLR": lambda optimizer: lr.LambdaLR(optimizer, [lambda step: 1 / (1 + step)] * len(optimizer.param_groups)),
    }


@pytest.mark.parametrize("schedule", schedules())
@pytest.mark.parametrize("rule", ["AdamW", "SGD nesterov", "RMSprop momentum"])
def test_groups_and_schedulers(rule, schedule):
    ends = []
    for library in (ours, torch.optim):
        found = parameters(torch.float64)
        groups = [
            {"params": found[:2], "lr": 0.01},
            {"params": found[2:3], "weight_decay": 0.5},
            {"params": found[3:4], "maximize": True},
        ]
        optimizer = make(library, rule, groups)
        run(optimizer, found, range(10), schedules()[schedule](optimizer))
        optimizer.add_param_group({"params": found[4:], **({"betas": (0.5, 0.6)} if rule == "AdamW" else {"momentum": 0.3})})
        optimizer.param_groups[0]["lr"] = torch.tensor(0.02, dtype=torch.float64)
        run(optimizer, found, range(10, 30))
        ends.append(found)
    assert_close(*ends)


def test_momentum_may_be_turned_on_and_off():
    for rule in ("SGD", "RMSprop"):
        found, same = parameters(torch.float64), parameters(torch.float64)
        one, other = make(ours, rule, found), make(torch.optim, rule, same)
        for momentum, steps in ((0, range(2)), (0.9, range(2, 5)), (0, range(5, 7))):
            one.param_groups[0]["momentum"] = other.param_groups[0]["momentum"] = momentum
            for parameter in same:
                if rule == "RMSprop" and parameter in other.state:  # torch cannot do that
                    other.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
            run(one, found, steps)
            run(other, same, steps)
        assert_close(found, same)


def test_frozen_parameters_keep_their_own_count():
    ends = []
    for library in (ours, torch.optim):
        found = parameters(torch.float64)
        optimizer = make(library, "Adam", found)
        for step in range(12):
            set_gradients(found, step)
            for i, parameter in enumerate(found):
                if step % (i + 1):
                    parameter.grad = None
            optimizer.step()
        ends.append(found)
        assert [int(optimizer.state[p]["step"]) for p in found] == [12, 6, 4, 3, 3]
    assert_close(*ends)


def test_without_gradients_nothing_happens():
    found = parameters(torch.float32)
    optimizer = make(ours, "Adam", found)
    assert optimizer.step() is None
    assert not optimizer.state


@pytest.mark.parametrize("options", [{"foreach": True}, {"foreach": False}, {"fused": True}], ids=str)
def test_foreach_and_fused_change_nothing(options):
    plain, found = parameters(torch.float32), parameters(torch.float32)
    run(make(ours, "AdamW", plain), plain, range(3))
    run(make(ours, "AdamW", found, **options), found, range(3))
    assert bytes_of(plain) == bytes_of(found)


def test_a_closure_gives_the_loss():
    found = parameters(torch.float64)[:1]
    optimizer = make(ours, "SGD", found)

    def closure():
        optimizer.zero_grad()
        loss = (found[0] ** 2).sum()
        loss.backward()
        return loss

    before = float((found[0].detach() ** 2).sum())
    assert optimizer.step(closure).item() == before
    assert float((found[0].detach() ** 2).sum()) == pytest.approx(before * (1 - 2 * LR) ** 2)


def test_hooks():
    found = parameters(torch.float32)
    optimizer = make(ours, "Adam", found)
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(("pre", len(optimizer.state))))
    optimizer.register_step_post_hook(lambda *_: seen.append(("post", len(optimizer.state))))
    optimizer.register_state_dict_post_hook(lambda _, state: state | {"more": 1})
    run(optimizer, found, range(1))
    assert seen == [("pre", 0), ("post", len(found))]
    assert optimizer.state_dict()["more"] == 1


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"])
def test_copies(copied):
    found = parameters(torch.float64)
    optimizer = make(ours, "Adam", found)
    run(optimizer, found, range(2))
    same, other = copied((found, optimizer))
    run(optimizer, found, range(2, 4))
    run(other, same, range(2, 4))
    assert bytes_of(found) == bytes_of(same)
    assert found[0].data_ptr() != same[0].data_ptr()


def test_a_gradient_scaler():
    found, same = parameters(torch.float32), parameters(torch.float32)
    optimizer, plain = make(ours, "Adam", found), make(ours, "Adam", same)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    for step in range(6):
        set_gradients(found, step)
        set_gradients(same, step)
        factor = float(scaler.scale(torch.ones(())))
        for parameter in found:
            parameter.grad.mul_(factor)
        given = bytes_of(p.grad for p in found)
        if step == 3:
            found[0].grad[0, 0] = math.inf
        before = bytes_of(found)
        scaler.step(optimizer)
        scaler.update()
        if step == 3:
            assert bytes_of(found) == before
        else:
            plain.step()
            assert bytes_of(p.grad for p in found) == given
        assert bytes_of(found) == bytes_of(same)
    assert int(optimizer.state[found[0]]["step"]) == 5


def test_gradients_that_a_scaler_has_unscaled_already():
    found, same = parameters(torch.float32), parameters(torch.float32)
    optimizer, plain = make(ours, "SGD", found), make(ours, "SGD", same)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    set_gradients(found, 0)
    set_gradients(same, 0)
    scaler.scale(torch.ones(()))
    for parameter in found:
        parameter.grad.mul_(256)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    plain.step()
    assert bytes_of(found) == bytes_of(same)


def test_a_stale_graph_is_an_error():
    weights, x = nn.Parameter(torch.ones(3, 3)), torch.ones(3, requires_grad=True)
    optimizer = make(ours, "SGD", [weights])
    loss = (weights @ x).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@rules
def test_the_same_bits_with_any_number_of_threads(rule, num_threads):
    ends = []
    for n in (1, 2, 3, 8):
        num_threads(n)
        numbers = torch.Generator().manual_seed(0)
        found = [nn.Parameter(torch.randn(300_001, generator=numbers)), nn.Parameter(torch.randn(70, 800, generator=numbers))]
        optimizer = make(ours, rule, found)
        run(optimizer, found, range(3))
        ends.append(bytes_of([*found, *(x for p in found for x in optimizer.state[p].values())]))
    assert all(end == ends[0] for end in ends)


# -------------------------------------------------------------------------------------------------------------- refusals
def column():
    return nn.Parameter(torch.ones(3, 4).t())


REFUSALS = {
    "sparse": (nn.Parameter(torch.ones(3, 2)), torch.ones(3, 2).to_sparse(), TypeError, "gradient of 'bad' must be dense"),
    "complex": (
        nn.Parameter(torch.ones(3, dtype=torch.complex64)),
        None,
        TypeError,
        "'bad' must be of float32,.*got torch.complex64",
    ),
    "meta": (nn.Parameter(torch.ones(3, device="meta")), None, TypeError, "'bad' must be in the CPU's memory.*meta"),
    "not contiguous": (column(), None, ValueError, "'bad' must be contiguous"),
    "a gradient not contiguous": (
        nn.Parameter(torch.ones(4, 3)),
        torch.ones(3, 4).t(),
        ValueError,
        "gradient of 'bad' must be contiguous",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_used_in_place_is_refused_by_name(case):
    bad, gradient, error, match = REFUSALS[case]
    good, same = parameters(torch.float32)[0], nn.Parameter(torch.ones(2))
    optimizer = ours.Adam([{"params": [("good", good)]}, {"params": [("bad", bad)], "eps": 1e-3}])
    before = bytes_of([good])
    good.grad = torch.ones_like(good)
    bad.grad = torch.ones_like(bad) if gradient is None else gradient
    with pytest.raises(error, match=match):
        optimizer.step()
    assert bytes_of([good]) == before
    assert not optimizer.state
    bad.grad = None
    optimizer.step()
    assert bytes_of([good]) != before
    assert same is not good


def test_parameters_without_names_are_named_by_their_places():
    optimizer = ours.SGD([{"params": [nn.Parameter(torch.ones(2))]}, {"params": [nn.Parameter(torch.ones(2)), column()]}])
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    with pytest.raises(ValueError, match="'parameter 1 of group 1' must be contiguous"):
        optimizer.step()


def test_an_error_in_one_group_leaves_all_as_they_were():
    found = parameters(torch.float32)
    optimizer = ours.Adam([{"params": found[:1]}, {"params": found[1:], "eps": 1e-3}])
    run(optimizer, found, range(2))
    state = copy.deepcopy(optimizer.state_dict()["state"])
    before = bytes_of(found)
    set_gradients(found, 3)
    optimizer.state[found[2]]["exp_avg"] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"slot 0 of 'parameter 1 of group 1' must have the shape"):
        optimizer.step()
    assert bytes_of(found) == before
    for key, own in optimizer.state_dict()["state"].items():
        for name, tensor in own.items():
            assert (key, name) == (2, "exp_avg") or torch.equal(tensor, state[key][name])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", {"amsgrad": True}),
        ("AdamW", {"amsgrad": True}),
        ("AdamW", {"capturable": True}),
        ("RMSprop", {"differentiable": True}),
        ("SGD", {"momentum": 0.9, "dampening": 0.1}),
    ],
    ids=str,
)
def test_what_the_step_does_not_have_is_refused(name, options):
    refused = next(option for option in options if option != "momentum")
    match = f"{name} of fastreg takes no {refused}="
    found = parameters(torch.float32)
    with pytest.raises(ValueError, match=match):
        getattr(ours, name)(found, **options)
    with pytest.raises(ValueError, match=match):
        getattr(ours, name)([{"params": found, **options}])
    optimizer = getattr(ours, name)(found)
    with pytest.raises(ValueError, match=match):
        optimizer.load_state_dict(getattr(torch.optim, name)(found, **options).state_dict())
    optimizer.param_groups[0].update(options)
    set_gradients(found, 0)
    with pytest.raises(ValueError, match=match):
        optimizer.step()


def test_torchs_own_checks_of_arguments():
    with pytest.raises(ValueError, match="Invalid learning rate"):
        ours.AdamW(parameters(torch.float32), lr=-1.0)
    with pytest.raises(TypeError, match="unexpected keyword"):
        ours.AdamW(parameters(torch.float32), momentum=1.0)


# -------------------------------------------------------------------------------------------------------------- penalties
class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        numbers = torch.Generator().manual_seed(0)
        self.embedding, self.head = nn.Embedding(7, 5), nn.Linear(5, 7)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=numbers))
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(self.embedding(x))


PENALTIES = [("embedding.weight", fr.l1_l2_regularizer(0.02, 0.03)), ("head.bias", fr.mcp_regularizer(0.05))]


def by_torch(model):
    w, b = model.embedding.weight, model.head.bias.abs()
    mcp = torch.where(b < 3 * 0.05, 0.05 * b - b**2 / 6, torch.full_like(b, 3 * 0.05**2 / 2))
    return 0.02 * w.abs().sum() + 0.03 / 2 * (w**2).sum() + mcp.sum()


def test_terms_of_a_model_are_of_its_parameters_tied_ones_once():
    model = Tied()
    terms = ours.regularize(model, PENALTIES)
    assert [term.variable.name for term in terms] == ["embedding.weight", "head.bias"]
    assert terms[0].weights.ctypes.data == model.head.weight.data_ptr()
    assert float(fr.add_n(terms)) == pytest.approx(by_torch(model).item(), rel=1e-6)
    assert "head.bias" in str(fr.summary(terms))


def test_excluded_parameters():
    terms = ours.regularize(Tied(), [("*", fr.l2_regularizer(1.0))], exclude=["*.bias"])
    assert [term.variable.name for term in terms] == ["embedding.weight"]
    assert terms.left_out == {"head.bias": "*.bias"}
    with pytest.raises(ValueError, match=r"'\*\.norm' matches none of the names"):
        ours.regularize(Tied(), [("*", fr.l2_regularizer(1.0))], exclude=["*.norm"])
    with pytest.raises(TypeError, match="exclude must be a list"):
        ours.regularize(Tied(), [("*", fr.l2_regularizer(1.0))], exclude="*.bias")


@pytest.mark.parametrize("split", [False, True], ids=["one group", "groups"])
@pytest.mark.parametrize("rule", ["AdamW", "SGD nesterov"])
def test_the_penalty_in_the_step_is_that_of_a_loss(rule, split):
    models = [Tied().double() for _ in range(3)]
    x = torch.arange(7)
    losses = [[], [], []]
    terms = [ours.regularize(model, PENALTIES) for model in models]
    optimizers = []
    for i, model in enumerate(models):
        found = list(model.parameters())
        more = {"eps": 1e-3} if rule == "AdamW" else {"momentum": 0.5}
        groups = [{"params": found[:1]}, {"params": found[1:], **more}] if split else [{"params": found}]
        optimizers.append(make(torch.optim if i == 0 else ours, rule, groups, **({"regularization": terms[2]} if i == 2 else {})))
    for _ in range(20):
        for i, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
            optimizer.zero_grad()
            data = nn.functional.cross_entropy(model(x), x)
            extra = [by_torch(model), ours.penalty(terms[1]), None][i]
            (data if extra is None else data + extra).backward()
            optimizer.step()
            losses[i].append(optimizer.regularization_loss if extra is None else extra.item())
    assert_close(list(models[1].parameters()), list(models[0].parameters()))
    assert_close(list(models[2].parameters()), list(models[0].parameters()))
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-12)


def test_the_strength_in_the_step_is_not_scaled_by_a_scaler():
    model, same = Tied(), Tied()
    strength = [("*", fr.l2_regularizer(0.5))]
    one = ours.SGD(model.parameters(), lr=LR, regularization=ours.regularize(model, strength))
    other = ours.SGD(same.parameters(), lr=LR, regularization=ours.regularize(same, strength), maximize=True)
    one.grad_scale, one.found_inf = torch.tensor(64.0), torch.tensor(0.0)
    for parameter, twin in zip(model.parameters(), same.parameters(), strict=True):
        parameter.grad, twin.grad = torch.full_like(parameter, 64.0), torch.full_like(twin, -1.0)
    one.step()
    other.step()
    for parameter, twin, first in zip(model.parameters(), same.parameters(), Tied().parameters(), strict=True):
        assert torch.equal(parameter, twin)
        torch.testing.assert_close(parameter.detach(), (first - LR * (1 + 0.5 * first)).detach())


def test_a_term_over_a_frozen_parameter_is_counted():
    model = Tied()
    optimizer = ours.Adam(
        [{"params": [model.head.bias]}, {"params": [model.embedding.weight], "eps": 1e-3}],
        regularization=ours.regularize(model, PENALTIES),
    )
    expected = by_torch(model).item()
    model.head.bias.grad = torch.zeros_like(model.head.bias)
    optimizer.step()
    assert optimizer.regularization_loss == pytest.approx(expected, rel=1e-6)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals come from a timer of Unix")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_step_of_two_parts_is_whole_or_has_not_begun(interrupts):
    def training():
        found = [nn.Parameter(torch.ones(60_000)) for _ in range(4)]
        optimizer = ours.Adam([{"params": found[:2]}, {"params": found[2:], "betas": (0.5, 0.75)}], lr=LR)
        for parameter in found:
            parameter.grad = torch.ones_like(parameter)
        return optimizer, found

    def state(optimizer, found):
        tensors = [x for parameter in found for x in (parameter.detach(), *optimizer.state_dict()["state"].values())]
        return [
            x.numpy().tobytes() if torch.is_tensor(x) else [(key, y.numpy().tobytes()) for key, y in x.items()] for x in tensors
        ]

    interrupted, steady = training(), training()
    before = state(*steady)
    seen = set()
    for _ in range(150):
        steady[0].step()
        after = state(*steady)
        interrupts.during(interrupted[0].step)
        seen.add(state(*interrupted) == after)
        if state(*interrupted) == before:
            interrupted[0].step()
        assert state(*interrupted) == after
        before = after
    assert interrupts.n > 5 and seen == {True, False}


class Fourth:
    """A user's own regularizer."""

    def __call__(self, w):
        return float((w**4).sum())

    def gradient(self, w):
        return 4 * w**3


@pytest.mark.parametrize("more", [{}, {"eps": 1e-3}], ids=["one part", "two parts"])
def test_a_users_own_regularizer(more):
    model, same = Tied().double(), Tied().double()
    terms = ours.regularize(model, [("*", Fourth())])
    one = ours.Adam([{"params": [model.head.bias]}, {"params": [model.embedding.weight], **more}], regularization=terms)
    other = torch.optim.Adam([{"params": [same.head.bias]}, {"params": [same.embedding.weight], **more}])
    for _ in range(5):
        one.zero_grad()
        other.zero_grad()
        for found in (model, same):
            found(torch.arange(7)).square().sum().backward()
        given = bytes_of(p.grad for p in model.parameters())
        extra = sum((p**4).sum() for p in same.parameters())
        extra.backward()
        one.step()
        other.step()
        assert bytes_of(p.grad for p in model.parameters()) == given
        assert one.regularization_loss == pytest.approx(extra.item())
    assert_close(list(model.parameters()), list(same.parameters()))


def test_a_penalty_is_a_tensor_of_the_widest_dtype():
    model = Tied()
    terms = ours.regularize(model, PENALTIES)
    loss = ours.penalty(terms)
    assert (loss.shape, loss.dtype, loss.requires_grad) == ((), torch.float32, True)
    assert ours.penalty(3.0 * fr.add_n(terms) + 2.0).item() == pytest.approx(3 * loss.item() + 2)
    model.head.bias.data = model.head.bias.data.double()
    assert ours.penalty(terms).dtype == torch.float64


def test_the_gradient_of_a_penalty_is_scaled_and_may_be_asked_for_twice():
    model, same = Tied().double(), Tied().double()
    loss = 3 * ours.penalty(ours.regularize(model, PENALTIES))
    loss.backward(retain_graph=True)
    loss.backward()
    (6 * by_torch(same)).backward()
    for parameter, twin in zip(model.parameters(), same.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, twin.grad)


def test_a_penalty_over_frozen_parameters_needs_no_gradient():
    model = Tied()
    model.requires_grad_(False)
    assert not ours.penalty(ours.regularize(model, PENALTIES)).requires_grad
    model.head.bias.requires_grad_(True)
    ours.penalty(ours.regularize(model, PENALTIES)).backward()
    assert model.embedding.weight.grad is None


def test_a_penalty_cannot_be_differentiated_twice():
    model = Tied()
    loss = ours.penalty(ours.regularize(model, PENALTIES))
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(loss + (model.head.bias**2).sum(), [model.head.bias], create_graph=True)


def test_a_penalty_of_other_arrays_is_refused():
    with pytest.raises(TypeError, match=r"term 'w/.*' is not of a model's parameter"):
        ours.penalty(fr.regularize({"w": np.ones(3)}, [("w", fr.l2_regularizer(1.0))]))


def test_a_model_on_another_device_is_refused_by_name():
    with pytest.raises(TypeError, match="'weight' must be in the CPU's memory"):
        ours.regularize(nn.Linear(2, 2, device="meta"), [("*", fr.l2_regularizer(1.0))])


# ------------------------------------------------------------------------------------------------------ distributed tensors
DISTRIBUTED = """
import os, tempfile, torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from fastreg.interop import torch as ours
import fastreg as fr

with tempfile.TemporaryDirectory() as folder:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=0, world_size=1)
    mesh = init_device_mesh("cpu", (1,))
    torch.manual_seed(0)
    first = torch.randn(6, 4)
    whole = torch.nn.Parameter(first.clone())
    part = torch.nn.Parameter(distribute_tensor(first.clone(), mesh, [Shard(0)]))
    module = torch.nn.Module()
    module.part = part
    terms = ours.regularize(module, [("part", fr.l2_regularizer(0.5))])
    one, other = ours.AdamW([part], regularization=terms), torch.optim.AdamW([whole])
    for step in range(5):
        gradient = torch.randn(6, 4)
        part.grad = distribute_tensor(gradient, mesh, [Shard(0)])
        whole.grad = gradient + 0.5 * whole.detach()
        one.step()
        other.step()
    torch.testing.assert_close(part.to_local().detach(), whole.detach())
    moment = one.state[part]["exp_avg"]
    torch.testing.assert_close(moment.to_local(), other.state[whole]["exp_avg"])
    dist.destroy_process_group()
    print(type(moment).__name__)
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_the_local_part_of_a_distributed_tensor(run_python):
    done = run_python(DISTRIBUTED)
    assert done.stdout.split() == ["DTensor"], done.stderr


# ---------------------------------------------------------------------------------------------------------- 16-bit parameters
HALVES = [torch.bfloat16, torch.float16]
halves = pytest.mark.parametrize("dtype", HALVES, ids=str)


@halves
@rules
def test_masters_are_torchs_float32_weights_and_parameters_their_roundings(rule, dtype):
    found, exact = parameters(dtype), [p.detach().double().requires_grad_() for p in parameters(dtype)]
    optimizer, other = make(ours, rule, found, master_weights=True), make(torch.optim, rule, exact)
    for step in range(100):
        set_gradients(found, step)
        for parameter, twin in zip(found, exact, strict=True):
            twin.grad = parameter.grad.double()
        optimizer.step()
        other.step()
    masters = [optimizer.state[p]["master"] for p in found]
    assert all(master.dtype == torch.float32 for master in masters)
    assert_close(masters, exact)
    for parameter, master in zip(found, masters, strict=True):
        assert torch.equal(parameter, master.to(dtype))


@halves
def test_a_step_too_small_for_sixteen_bits_is_not_lost(dtype):
    found, alone = nn.Parameter(torch.ones(100, dtype=dtype)), nn.Parameter(torch.ones(100, dtype=dtype))
    one, other = ours.SGD([found], lr=1e-4, master_weights=True), torch.optim.SGD([alone], lr=1e-4)
    for _ in range(100):
        found.grad, alone.grad = torch.ones_like(found), torch.ones_like(alone)
        one.step()
        other.step()
    assert torch.equal(alone, torch.ones_like(alone))
    assert torch.equal(found, torch.full_like(found, 0.99))


@halves
def test_sixteen_bits_without_masters_are_refused_by_name(dtype):
    parameter = nn.Parameter(torch.ones(3, dtype=dtype))
    parameter.grad = torch.ones_like(parameter)
    with pytest.raises(TypeError, match=r"'w' is of torch.*master_weights=True"):
        ours.AdamW([("w", parameter)]).step()
    assert torch.equal(parameter, torch.ones_like(parameter))


@halves
def test_masters_go_through_a_state_dict(dtype):
    found = parameters(dtype)
    optimizer = make(ours, "AdamW", found, master_weights=True)
    run(optimizer, found, range(3))
    same = [nn.Parameter(p.detach().clone()) for p in found]
    other = make(ours, "AdamW", same, master_weights=True)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    run(optimizer, found, range(3, 6))
    run(other, same, range(3, 6))
    assert bytes_of([optimizer.state[p]["master"] for p in found]) == bytes_of([other.state[p]["master"] for p in same])
    assert all(torch.equal(one, twin) for one, twin in zip(found, same, strict=True))


@halves
@rules
def test_a_state_goes_to_torch_and_back_in_sixteen_bits(rule, dtype):
    found = parameters(dtype)
    optimizer = make(torch.optim, rule, found)
    run(optimizer, found, range(3))
    other = make(ours, rule, found, master_weights=True)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    run(other, found, range(3, 6))
    for own in other.state.values():
        assert all(tensor.dtype == torch.float32 for tensor in own.values())
    again = make(torch.optim, rule, found)
    again.load_state_dict(copy.deepcopy(other.state_dict()))
    run(again, found, range(6, 8))
    assert all(bool(torch.isfinite(parameter).all()) for parameter in found)


@halves
def test_a_parameter_that_was_changed_is_followed_by_its_master(dtype):
    found = parameters(dtype)
    optimizer = make(ours, "SGD", found, master_weights=True, lr=1e-4)
    run(optimizer, found, range(3))
    masters = [optimizer.state[p]["master"].clone() for p in found]
    with torch.no_grad():
        found[2][:10] = 3.0
    for parameter in found:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    masters[2][:10] = 3.0
    assert all(torch.equal(optimizer.state[p]["master"], master) for p, master in zip(found, masters, strict=True))
    found[0].data = torch.full_like(found[0], 2.0)
    optimizer.step()
    assert bool((optimizer.state[found[0]]["master"] == 2.0).all())


@halves
def test_masters_are_copied_with_their_optimizer(dtype):
    found = parameters(dtype)
    optimizer = make(ours, "Adam", found, master_weights=True)
    run(optimizer, found, range(2))
    same, other = copy.deepcopy((found, optimizer))
    run(optimizer, found, range(2, 4))
    run(other, same, range(2, 4))
    assert bytes_of([optimizer.state[p]["master"] for p in found]) == bytes_of([other.state[p]["master"] for p in same])


def test_a_scaler_with_sixteen_bit_gradients():
    found, same = parameters(torch.float16), parameters(torch.float16)
    optimizer, plain = (make(ours, "AdamW", x, master_weights=True) for x in (found, same))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for step in range(3):
        set_gradients(found, step)
        set_gradients(same, step)
        factor = float(scaler.scale(torch.ones(())))
        for parameter in found:
            parameter.grad.mul_(factor)
        scaler.step(optimizer)
        scaler.update()
        plain.step()
    assert all(torch.equal(one, twin) for one, twin in zip(found, same, strict=True))


@halves
def test_sixteen_and_thirty_two_bits_in_one_optimizer(dtype):
    found = [parameters(dtype)[0], parameters(torch.float32)[2]]
    optimizer = make(ours, "AdamW", found, master_weights=True)
    run(optimizer, found, range(3))
    assert "master" in optimizer.state[found[0]] and "master" not in optimizer.state[found[1]]


@halves
@pytest.mark.parametrize("regularizer", [fr.l1_l2_regularizer(0.02, 0.03), Fourth()], ids=["compiled", "own"])
def test_the_penalty_is_that_of_the_masters(dtype, regularizer):
    model = Tied().to(dtype)
    twin = [p.detach().float().requires_grad_() for p in model.parameters()]
    optimizer = ours.SGD(
        model.parameters(), lr=LR, master_weights=True, regularization=ours.regularize(model, [("*", regularizer)])
    )
    names = ["embedding", "bias"]
    terms = fr.regularize(dict(zip(names, [w.detach().numpy() for w in twin], strict=True)), [("*", regularizer)])
    plain = fr.optim.GradientDescent(LR)
    for step in range(4):
        set_gradients(list(model.parameters()), step)
        given = {
            name: (p.grad.float().numpy(), w.detach().numpy()) for name, p, w in zip(names, model.parameters(), twin, strict=True)
        }
        optimizer.step()
        assert optimizer.regularization_loss == plain.apply_gradients(given, terms)
        assert bytes_of(twin) == bytes_of([optimizer.state[p]["master"] for p in model.parameters()])


@halves
def test_a_penalty_of_sixteen_bit_parameters(dtype):
    model = Tied().to(dtype)
    loss = ours.penalty(ours.regularize(model, PENALTIES))
    loss.backward()
    same = Tied().to(dtype).float()
    expected = by_torch(same)
    expected.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.detach(), expected.detach(), rtol=1e-5, atol=0)
    for parameter, twin in zip(model.parameters(), same.parameters(), strict=True):
        assert parameter.grad.dtype == dtype
        torch.testing.assert_close(parameter.grad.float(), twin.grad, rtol=1e-2, atol=1e-4)


@halves
def test_the_same_sixteen_bits_with_any_number_of_threads(dtype, num_threads):
    ends = []
    for n in (1, 2, 3, 8):
        num_threads(n)
        numbers = torch.Generator().manual_seed(0)
        found = [nn.Parameter(torch.randn(size, generator=numbers).to(dtype)) for size in (300_001, 4097)]
        optimizer = make(ours, "AdamW", found, master_weights=True)
        run(optimizer, found, range(3))
        ends.append([*found, *(x for p in found for x in optimizer.state[p].values())])
    assert all(torch.equal(one, other) for end in ends for one, other in zip(end, ends[0], strict=True))


@halves
def test_a_hook_may_replace_the_state_that_is_loaded(dtype):
    found = parameters(dtype)
    optimizer = make(ours, "AdamW", found, master_weights=True)
    run(optimizer, found, range(2))
    state = copy.deepcopy(optimizer.state_dict())
    other = make(ours, "AdamW", found, master_weights=True)
    other.register_load_state_dict_pre_hook(lambda *_: state)
    other.load_state_dict({"state": {}, "param_groups": []})
    for parameter in found:
        for name, tensor in optimizer.state[parameter].items():
            assert torch.equal(other.state[parameter][name], tensor)
