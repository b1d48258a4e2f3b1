"""Rewrites of Keras models keep what Keras computes, on the file that the writer made of them."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402 (after the framework, which may be absent)

from archlint.engine import load, selection  # noqa: E402
from archlint.facts import Facts  # noqa: E402
from archlint.fixes import pooling, unlock  # noqa: E402
from archlint.fixing.loop import Model, Wanted, mend  # noqa: E402
from archlint.formats import find, open_weights, read  # noqa: E402
from archlint.formats.keras.write import write  # noqa: E402

pytestmark = pytest.mark.oracle

TOLERANCE = 2e-5
"""Relative to the largest output: some hundred float32 products are summed in another order."""

MADE = Counter()


def saved(model, folder, name="in"):
    path = str(folder / f"{name}.keras")
    random = np.random.default_rng(0)
    for weight in model.weights:
        if "variance" in weight.name or "gamma" in weight.name:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif "seed" not in weight.name:
            weight.assign(random.normal(size=weight.shape) / np.sqrt(max(1, np.prod(weight.shape[:-1]))))
    model.save(path)
    [file] = find([path])
    return file, read(file)


def outputs(path, *shape):
    """What a file's model gives for made-up numbers, in inference."""
    model = keras.models.load_model(path, compile=False)
    found = model(np.random.default_rng(1).normal(size=shape).astype("float32"), training=False)
    return [np.asarray(one) for one in (found if isinstance(found, list) else [found])]


def same(old, new):
    for one, other in zip(old, new, strict=True):
        np.testing.assert_allclose(other, one, rtol=TOLERANCE, atol=TOLERANCE * max(1.0, np.abs(one).max()))


def conv(axes, *args, **kwargs):
    return getattr(layers, f"Conv{axes}D")(*args, **kwargs)


HEADS = {
    "softmax": [layers.Flatten, lambda: layers.Dense(5, activation="softmax")],
    "hidden": [
        layers.Flatten,
        lambda: layers.Dropout(0.3),
        lambda: layers.Dense(6, activation="relu"),
        lambda: layers.BatchNormalization(),
        lambda: layers.Dense(3, activation="softmax"),
    ],
    "scores": [
        layers.Flatten,
        lambda: layers.Dense(4, activation="tanh", use_bias=False),
        lambda: layers.Dense(2),
    ],
    "apart": [
        layers.Flatten,
        lambda: layers.BatchNormalization(),
        lambda: layers.Dense(4),
        lambda: layers.LeakyReLU(),
        lambda: layers.LayerNormalization(),
        lambda: layers.Dense(3),
        lambda: layers.Softmax(),
    ],
    "sigmoid": [
        layers.Flatten,
        lambda: layers.Dense(4, activation="gelu"),
        lambda: layers.Dense(1, activation="sigmoid"),
    ],
}


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_a_freed_head_keeps_its_outputs_and_runs_at_other_sizes(head, functional, tmp_path):
    for axes in (1, 2, 3):
        shape = (9, 8, 7)[:axes]
        parts = [conv(axes, 3, 3, activation="relu"), conv(axes, 4, 2), *(make() for make in HEADS[head])]
        model = chained(parts, (*shape, 2), functional)
        file, graph = saved(model, tmp_path)
        flatten = next(node for node in graph.nodes if node.op == "Flatten")
        out = str(tmp_path / "out.keras")
        write(file, graph, unlock.flatten(Facts(graph), {"flatten": flatten}, {}), out)
        old = outputs(file.path, 2, *shape, 2)
        same(old, outputs(out, 2, *shape, 2))
        assert old[0].shape == outputs(out, 2, *(length + 3 for length in shape), 2)[0].shape


def chained(parts, shape, functional):
    if not functional:
        return keras.Sequential([keras.Input(shape), *parts])
    value = start = keras.Input(shape)
    for part in parts:
        value = part(value)
    return keras.Model(start, value)


@pytest.mark.parametrize("mode", ["channels_first", "channels_last"])
def test_channels_first_maps_are_freed_in_the_order_that_flatten_reads_them(mode, tmp_path):
    """Keras runs channels_first only on some devices, so the new kernel is compared by hand."""
    parts = [
        layers.Conv2D(3, 2, data_format="channels_first"),
        layers.Flatten(data_format=mode),
        layers.Dense(4),
    ]
    file, graph = saved(chained(parts, (2, 5, 4), True), tmp_path)
    flatten = next(node for node in graph.nodes if node.op == "Flatten")
    out = str(tmp_path / "out.keras")
    write(file, graph, unlock.flatten(Facts(graph), {"flatten": flatten}, {}), out)
    old, new = keras.models.load_model(file.path), keras.models.load_model(out)
    random = np.random.default_rng(0).normal(size=(3, 4, 3)).astype("float32")
    vector = random.transpose(1, 2, 0) if mode == "channels_first" else random
    kernel = old.layers[-1].kernel.numpy()
    convs = [layer for layer in new.layers if isinstance(layer, layers.Conv2D)]
    found = np.einsum("hwcu,chw->u", convs[-1].kernel.numpy(), random)
    np.testing.assert_allclose(vector.reshape(-1) @ kernel, found, rtol=1e-5, atol=1e-5)


def test_pooling_leaves_the_parameters_that_the_finding_promises_and_trains(tmp_path):
    parts = [
        layers.Conv2D(8, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(16, activation="relu"),
        layers.Dense(8, activation="relu"),
        layers.Dense(4, activation="softmax"),
    ]
    file, graph = saved(chained(parts, (12, 12, 3), False), tmp_path)
    flatten = next(node for node in graph.nodes if node.op == "Flatten")
    dense = next(node for node in graph.nodes if node.op == "Dense")
    for way, left in ((pooling.keep, 224 + 144 + 136 + 36), (pooling.collapse, 224 + 36)):
        out = str(tmp_path / "out.keras")
        write(file, graph, way(Facts(graph), {"flatten": flatten, "dense": dense}, {}), out)
        model = keras.models.load_model(out)
        assert left == model.count_params()
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(np.zeros((4, 12, 12, 3)), np.zeros(4), verbose=0)


def flawed():
    """Name → model and the shape of its input, each with flaws that can be mended."""
    image = keras.Input((9, 9, 2))
    value = layers.Conv2D(4, 3, padding="same")(image)
    value = layers.BatchNormalization()(value)
    value = layers.Activation("relu")(value)
    value = layers.Conv2D(8, 3)(value)
    value = layers.Conv2D(2, 1)(value)
    value = layers.ReLU()(value)
    value = layers.Conv2D(4, 3, strides=4, padding="same", activation="relu")(value)
    value = layers.Conv2D(4, 5, padding="same", activation="relu")(value)
    value = layers.AveragePooling2D(2)(value)
    value = layers.Flatten()(value)
    value = layers.Dense(3, activation="relu")(layers.Dropout(0.2)(value))
    yield "conv", keras.Model(image, layers.Dense(2)(value)), (9, 9, 2)
    image = keras.Input((9, 9, 2))
    value = layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    value = layers.Dense(9)(layers.Flatten()(value))
    value = layers.Dense(9)(value)
    value = layers.BatchNormalization()(layers.Dense(3)(value))
    value = layers.BatchNormalization()(value)
    value = layers.Dropout(0.0)(layers.ReLU()(value))
    yield "dense", keras.Model(image, layers.Dense(2, activation="softmax")(value)), (9, 9, 2)
    steps = keras.Input((6, 3))
    value = layers.TimeDistributed(layers.Dense(4, activation="relu"))(steps)
    value = layers.LSTM(5, return_sequences=True)(value)
    value = layers.Dense(3)(value[:, -1])
    yield "sequence", keras.Model(steps, value), (6, 3)


@pytest.mark.parametrize("inference", [False, True])
def test_all_that_can_be_mended_keeps_the_outputs(inference, tmp_path):
    rules = selection(load())
    refused = []
    for name, model, shape in flawed():
        file, graph = saved(model, tmp_path, name)
        opening = Model.of(graph, file.size_bytes, open_weights(file, graph), True)
        mended = mend(opening, Wanted(rules, {}, frozenset(rules.by_name), inference=inference))
        refused += [(one.finding.rule, one.reason) for one in mended.attempts if one.reason]
        MADE.update(one.finding.rule for one in mended.attempts if one.reason is None)
        out = str(tmp_path / "out.keras")
        write(file, graph, mended.model.edits, out)
        same(outputs(file.path, 2, *shape), outputs(out, 2, *shape))
    assert MENDED <= MADE.keys(), refused


MENDED = {
    "bias-before-norm",
    "dead-kernel-taps",
    "flatten-after-global-pool",
    "full-map-pool",
    "mergeable-linear-pair",
    "needless-time-distributed",
    "node-without-effect",
    "unused-sequence-output",
}
"""Rules whose fixes these models have need of."""


def test_compile_settings_change_and_outputs_stay_bit_for_bit(tmp_path):
    rules = selection(load())
    parts = [layers.Dense(3, activation="relu"), layers.Dense(1)]
    model = chained(parts, (4,), False)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    file, graph = saved(model, tmp_path)
    mended = mend(Model.of(graph, file.size_bytes, None, False), Wanted(rules, {}, frozenset(rules.by_name)))
    out = str(tmp_path / "out.keras")
    write(file, graph, mended.model.edits, out)
    patched = keras.models.load_model(out)
    assert patched.loss.get_config()["from_logits"] if hasattr(patched.loss, "get_config") else patched.loss
    assert all(
        np.array_equal(*pair) for pair in zip(outputs(file.path, 2, 4), outputs(out, 2, 4), strict=True)
    )
    patched.fit(np.zeros((4, 4)), np.zeros(4), verbose=0)
