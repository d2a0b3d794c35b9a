"""Penalties of a model's parameters: terms for an optimizer's step, or a tensor that backward goes through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from fastreg.interop.torch.tensors import array_of, local, tensor_of
from fastreg.losses import value_and_gradients
from fastreg.matching import regularize as regularize_arrays
from fastreg.terms import Array, RegularizationLoss, Regularizer, Terms, Total, live_terms


class Arrays(Mapping[str, Array]):
    """The arrays over parameters' memory, looked up at each use, so that a parameter may get other memory."""

    def __init__(self, parameters: Mapping[str, torch.Tensor]) -> None:
        self.parameters = parameters

    def __getitem__(self, name: str) -> Array:
        return array_of(self.parameters[name], name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)


def regularize(model: torch.nn.Module, rules: Sequence[tuple[str, Regularizer | None]], exclude: Sequence[str] = ()) -> Terms:
    """Return loss terms for the parameters of a model.

    Parameters
    ----------
    model : torch.nn.Module
        Its ``named_parameters()``; tied weights are one parameter, with the first of their names.
    rules : list of (pattern, regularizer)
        As for :func:`fastreg.regularize`: shell patterns for names such as ``encoder.0.weight``; the first that matches decides.
    exclude : sequence of str, optional
        Patterns of parameters without a penalty: as rules with None in front of the others.

    Returns
    -------
    Terms
        What an optimizer's `regularization` and :func:`penalty` take, and what :func:`fastreg.summary` shows. The memory of a
        parameter is looked up at each use.

    Raises
    ------
    TypeError, ValueError
        If a pattern matches no name, or a parameter is not dense, contiguous, real and in the CPU's memory.

    Examples
    --------
    >>> import torch, fastreg as fr
    >>> from fastreg.interop.torch import regularize
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    >>> [term.variable.name for term in regularize(model, [("*", fr.l2_regularizer(1e-4))], exclude=["*.bias"])]
    ['0.weight', '1.weight']
    """
    if isinstance(exclude, str):
        raise TypeError(f"exclude must be a list of patterns, not {exclude!r}")
    return regularize_arrays(Arrays(dict(model.named_parameters())), [*((pattern, None) for pattern in exclude), *rules])


def penalty(terms: Sequence[RegularizationLoss] | Total) -> torch.Tensor:
    """Return the sum of the terms as a tensor that backward goes through.

    Value and gradient are computed in one pass; the gradient is kept until backward, in one tensor for each parameter.

    Parameters
    ----------
    terms : list of RegularizationLoss, or Total
        What :func:`regularize` returns, or some of it, or a multiple of its sum.

    Returns
    -------
    Tensor
        Of no dimensions, and of the widest dtype of the parameters. It cannot be differentiated twice.

    Raises
    ------
    TypeError
        If a term is of another array than a model's parameter.

    Examples
    --------
    >>> import torch, fastreg as fr
    >>> from fastreg.interop.torch import penalty, regularize
    >>> model = torch.nn.Linear(3, 2, bias=False)
    >>> loss = penalty(regularize(model, [("weight", fr.l2_regularizer(0.5))]))
    >>> loss.backward()
    >>> torch.equal(model.weight.grad, 0.5 * model.weight)
    True
    """
    live, constants = live_terms(terms)
    parameters = {}
    for term in live:
        if not isinstance(term.cell, Arrays):
            raise TypeError(f"term {term.name!r} is not of a model's parameter; make terms by fastreg.interop.torch.regularize")
        parameters[term.variable_name] = parameter = term.cell.parameters[term.key]
        if local(parameter) is not parameter:
            raise TypeError(f"{term.variable_name!r} is a {type(parameter).__name__}; pass its terms to the optimizer")
    found: torch.Tensor = _Penalty.apply(live, constants, list(parameters), *parameters.values())
    return found


class _Penalty(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, terms: list[RegularizationLoss], constants: list[float], names: list[str], *parameters: Any) -> Any:
        value, gradients = value_and_gradients(terms)
        ctx.save_for_backward(*(tensor_of(gradients[name]) for name in names))
        dtype = torch.float64 if any(parameter.dtype == torch.float64 for parameter in parameters) else torch.float32
        return torch.tensor(sum(constants, float(value)), dtype=dtype)

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor) -> Any:
        if torch.is_grad_enabled():  # by create_graph=True; the saved gradient would be taken for a constant
            raise RuntimeError("fastreg's penalty has no second derivative; pass create_graph=True to backward without it")
        return None, None, None, *(gradient * scale for gradient in ctx.saved_tensors)
