"""Faults of weights, each planted with Keras in three networks of different build.

tests/oracle/test_weights_on_trained_networks.py plants the same in trained networks, in ONNX files as well.
"""

from collections.abc import Callable
from functools import partial
from typing import Any


def settled(model: Any) -> Any:
    """The model with weights as training leaves them: kernels with tails, positive variances, biases."""
    import numpy as np

    draw = np.random.default_rng(7)
    for weight in model.weights:
        name = weight.path
        if name.endswith("variance"):
            values = draw.uniform(0.4, 2, weight.shape)
        elif len(weight.shape) > 1:
            values = draw.laplace(0, float(np.prod(weight.shape[:-1])) ** -0.5, weight.shape)
        else:
            values = draw.normal(float(name.endswith("gamma")), 0.1, weight.shape)
        weight.assign(values)
    return model


def mlp() -> Any:
    import keras

    layers = keras.layers
    x = keras.Input((300,))
    y = layers.ReLU()(layers.BatchNormalization(name="norm")(layers.Dense(300)(x)))
    y = layers.Dense(280, "relu", name="victim")(y)
    return keras.Model(x, layers.Dense(4)(y))


def convolutions() -> Any:
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((12, 12, 256)), layers.Conv2D(256, 1, name="victim")])
    model.add(layers.BatchNormalization(name="norm"))
    model.add(layers.ReLU())
    model.add(layers.Conv2D(8, 3))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3, "softmax"))
    return model


def nested() -> Any:
    import keras

    layers = keras.layers
    x = keras.Input((16, 256))
    y = layers.Dense(256, "gelu", name="victim")(x)
    y = layers.ReLU()(layers.BatchNormalization(name="norm")(layers.Conv1D(64, 3)(y)))
    inner = keras.Model(x, y, name="inner")
    z = keras.Input((16, 256))
    return keras.Model(z, layers.Dense(2)(layers.GlobalAveragePooling1D()(inner(z))))


def layer(model: Any, name: str) -> Any:
    inside = [one for one in model.layers if hasattr(one, "layers")]
    return next(one for holder in (model, *inside) for one in holder.layers if one.name == name)


Edit = Callable[[Any, Any, Any], tuple[Any, Any]]
"""(numpy, kernel, bias) → what they become."""


def first(value: Any, count: int = 1) -> Edit:
    def edit(np: Any, kernel: Any, bias: Any) -> tuple[Any, Any]:
        kernel[..., :count] = value(np, kernel[..., :count]) if callable(value) else value
        return kernel, bias

    return edit


def twin(np: Any, kernel: Any, bias: Any) -> tuple[Any, Any]:
    kernel[..., 5], bias[5] = kernel[..., 9], bias[9]
    return kernel, bias


def one_for_all(np: Any, kernel: Any, bias: Any) -> tuple[Any, Any]:
    return np.repeat(kernel[..., :1], kernel.shape[-1], axis=-1), np.zeros_like(bias)


def as_drawn(np: Any, kernel: Any, bias: Any) -> tuple[Any, Any]:
    limit = (6 / (kernel.shape[-1] + kernel.shape[-2])) ** 0.5
    return np.random.default_rng(3).uniform(-limit, limit, kernel.shape), np.zeros_like(bias)


def thin(np: Any, kernel: Any, bias: Any) -> tuple[Any, Any]:
    flat = kernel.reshape(-1, kernel.shape[-1])
    return (flat[:, :9] @ flat[:9]).reshape(kernel.shape), bias


KERNELS: dict[str, Edit] = {
    "non-finite-weights": first(float("inf")),
    "constant-kernel": lambda np, kernel, bias: (np.full_like(kernel, 0.01), bias),
    "identical-units": one_for_all,
    "dead-units": first(0.0, 40),
    "duplicate-units": twin,
    "denormal-weights": first(lambda np, part: part * np.float32(1e-40), 30),
    "weights-beyond-float16": first(-90_000.0),
    "untrained-layer": as_drawn,
    "low-rank-kernel": thin,
}

NORMS: dict[str, Callable[[Any, Any], Any]] = {
    "vanished-batch-variance": lambda np, w: [*w[:3], w[3] * (np.arange(len(w[3])) != 4)],
    "untouched-batch-statistics": lambda _, w: [*w[:2], w[2] * 0, w[3] * 0 + 1],
    "dead-relu-channels": lambda np, w: [w[0], w[1] - 50 * (np.arange(len(w[1])) == 4), *w[2:]],
}


def with_kernel(build: Callable[[], Any], edit: Edit) -> Any:
    import numpy as np

    model = settled(build())
    victim = layer(model, "victim")
    victim.set_weights(edit(np, *(array.copy() for array in victim.get_weights())))
    return model


def with_norm(build: Callable[[], Any], edit: Callable[[Any, Any], Any]) -> Any:
    import numpy as np

    model = settled(build())
    norm = layer(model, "norm")
    norm.set_weights(edit(np, norm.get_weights()))
    return model


def blank(build: Callable[[], Any]) -> Any:
    model = build()
    for weight in model.weights:
        if len(weight.shape) > 1:
            weight.assign(weight * 0)
    return model


BUILDS = (mlp, convolutions, nested)

FAULTS = [
    *(
        (rule, one.__name__, partial(with_kernel, one, edit))
        for rule, edit in KERNELS.items()
        for one in BUILDS
    ),
    *((rule, one.__name__, partial(with_norm, one, edit)) for rule, edit in NORMS.items() for one in BUILDS),
    *(("untrained-model", one.__name__, one) for one in BUILDS),
    *(("weights-all-zero", one.__name__, partial(blank, one)) for one in BUILDS),
]
"""(rule, name, model) of every planted fault."""

MISSED: list[tuple[str, str]] = []
"""(rule, name) of those that are known to be missed."""
