"""Adam and SGD, as a row sets them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import nn

if TYPE_CHECKING:
    from refashion.paper.spec import Spec

Optimizer = TypeVar("Optimizer", bound=torch.optim.Optimizer)


def _uncompiled(optimizer: type[Optimizer]) -> type[Optimizer]:
    """An optimizer of torch without the wrappers that hide it from torch's compiler.

    On first use they import the compiler, half the time of a short job; nothing here is compiled.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in names}
    methods["step"] = torch.no_grad()(inspect.unwrap(optimizer.step))
    return cast("type[Optimizer]", type(optimizer.__name__, (optimizer,), methods))


Adam, SGD = _uncompiled(torch.optim.Adam), _uncompiled(torch.optim.SGD)


def make_optimizer(model: nn.Module, spec: Spec) -> torch.optim.Optimizer:
    """Adam or SGD over the weights that are not frozen, with a row's settings."""
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate = spec.learning_rate
    if spec.optimizer == "sgd":
        return SGD(weights, lr=rate, momentum=spec.momentum, fused=True)
    on_gpu = weights[0].is_cuda
    return Adam(weights, lr=rate, eps=spec.epsilon, fused=True, capturable=on_gpu)
