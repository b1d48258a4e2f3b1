"""Batch normalization at inference as what it is: a gain and an offset per channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.fixes.stored import own_params
from archlint.graph import Array, Node, Param
from archlint.ops import attr

if TYPE_CHECKING:
    from archlint.facts import Facts

ROLES = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclass(frozen=True, slots=True)
class Affine:
    """What a norm does to each channel, ``gain · x + offset``, as a function of its stored tensors."""

    params: tuple[Param, ...]
    epsilon: float

    def gain_and_offset(self, *arrays: Array) -> tuple[Array, Array]:
        """Two float64 vectors: s = γ/√(σ² + ε) and β − μ·s; without statistics γ and β themselves.

        Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, section 3.1. γ is 1 and β and μ
        are 0 where the layer has none. ``arrays`` are the contents of ``params``.
        """
        import numpy as np

        found = {
            param.role: np.asarray(array, np.float64).reshape(-1)
            for param, array in zip(self.params, arrays, strict=True)
        }
        size = len(next(iter(found.values())))
        gain = found.get("gamma", np.ones(size))
        if "moving_variance" in found:
            gain = gain / np.sqrt(found["moving_variance"] + self.epsilon)
        return gain, found.get("beta", np.zeros(size)) - found.get("moving_mean", np.zeros(size)) * gain


def affine_of(facts: Facts, norm: Node) -> Affine:
    """The gain and offset of a batch normalization that uses its moving statistics.

    Raises: PatchError: it uses those of the batch, or its tensors are shared, missing or quantised.
    """
    params = own_params(facts, norm, *ROLES)
    if norm.op != "BatchNormalization" or attr(norm, "training"):
        raise PatchError(f"'{norm.name}' does not use moving statistics")
    statistics = {"moving_mean", "moving_variance"} & params.keys()
    if len(statistics) != (0 if attr(norm, "folded") else 2) or not params:
        raise PatchError(f"'{norm.name}' lacks stored statistics")
    epsilon = attr(norm, "epsilon")
    if not isinstance(epsilon, int | float):
        raise PatchError(f"the epsilon of '{norm.name}' is not known")
    return Affine(tuple(params[role] for role in ROLES if role in params), float(epsilon))
