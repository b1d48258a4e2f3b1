"""Patched Keras files, loaded by Keras and tf_keras in safe mode: equal outputs, and they still train."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")
tf_keras = pytest.importorskip("tf_keras")

from archlint.formats import find, read  # noqa: E402 (after the frameworks, which may be absent)
from archlint.formats.keras.write import dropped_state, write  # noqa: E402
from archlint.graph import (  # noqa: E402
    Edit,
    Graph,
    Made,
    Node,
    Origin,
    SetInput,
    Setting,
    SetTraining,
    Splice,
    TensorType,
)  # fmt: skip

pytestmark = pytest.mark.oracle

CLOSE = 2e-6
"""Sums of some 100 float32 products in another order: 100 roundings of 6e-8 each, softmax outputs up to 1."""

KINDS = [(frame, suffix) for frame in (keras, tf_keras) for suffix in (".keras", ".h5")]
IDS = [f"{frame.__name__}{suffix}" for frame, suffix in KINDS]


def start(frame: ModuleType, shape: tuple) -> object:
    return frame.layers.Input(shape) if frame is keras else frame.layers.InputLayer(shape)


def chain(frame: ModuleType) -> object:
    """Convolutions of one class in a row, so that taking one out renumbers those after it."""
    own = frame.layers
    return frame.Sequential(
        [
            start(frame, (8, 8, 3)),
            own.Conv2D(4, 3, name="a"),
            own.Conv2D(4, 1, name="b"),
            own.Dropout(0.5, name="drop"),
            own.Conv2D(5, 3, activation="relu", name="c"),
            own.BatchNormalization(name="norm"),
            own.Flatten(name="flatten"),
            own.Dense(6, activation="relu", name="hidden"),
            own.Dense(3, activation="softmax", name="head"),
        ]
    )


def branched(frame: ModuleType) -> object:
    """Two branches of one class behind a nested model."""
    own = frame.layers
    x = own.Input((8, 8, 3), name="x")
    inner = [own.Conv2D(4, 3, name="a"), own.Dropout(0.5, name="drop"), own.Conv2D(4, 1, name="b")]
    y = frame.Sequential([start(frame, (8, 8, 3)), *inner], name="base")(x)
    left, right = own.Conv2D(4, 3, name="left")(y), own.Conv2D(4, 3, name="right")(y)
    y = own.Conv2D(4, 1, name="late")(own.Add(name="sum")([left, right]))
    y = own.Dense(6, activation="relu", name="hidden")(own.Flatten(name="flatten")(y))
    return frame.Model(x, own.Dense(3, activation="softmax", name="head")(y))


def trained(frame: ModuleType, model: object) -> tuple[object, np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    labels = np.arange(4) % 3
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, verbose=0)
    return model, images, labels


def patched(folder: Path, model: object, suffix: str, make: object) -> tuple[Path, str]:
    path, out = folder / f"m{suffix}", folder / f"new{suffix}"
    model.save(path)
    (file,) = find([str(path)])
    graph = read(file)
    edits = make(graph)
    write(file, graph, edits, str(out))
    return out, dropped_state(file, graph, edits)


def loaded(frame: ModuleType, path: Path) -> object:
    safe = {"safe_mode": True} if path.suffix == ".keras" else {}
    return frame.models.load_model(path, **safe)


def largest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())


def bypass(name: str) -> object:
    def edits(graph: Graph) -> list[Edit]:
        return [Splice(frozenset({name}), moved={name: graph.by_name[name].inputs[0]})]

    return edits


def unlock(graph: Graph) -> list[Edit]:
    """Flatten and Dense become a convolution over the map and global average pooling."""
    node, last = graph.by_name["hidden"], graph.by_name["head"]
    kernel = node.param("kernel")
    assert kernel is not None
    assert kernel.shape is not None
    channels = 4 if "late" in graph.by_name else 5
    side = round((kernel.shape[0] // channels) ** 0.5)
    whole = (side, side, channels, 6)
    conv = replace(
        node,
        op="Conv",
        inputs=graph.by_name["flatten"].inputs,
        attrs={"filters": 6, "kernel": (side, side)},
        params=(replace(kernel, shape=whole), *node.params[1:]),
        origin=Origin("", node.origin.address),
    )
    pool = Node(
        "pooled", "GlobalAveragePool", ("hidden/relu",), ("pooled",), {}, (), (), Origin("", ("pooled",))
    )
    made = {kernel.name: Made((kernel.name,), lambda values: values.reshape(whole))}
    added = (conv, pool, replace(last, inputs=("pooled",)))
    return [
        Splice(frozenset({"flatten", "hidden", "head"}), added, {}, made),
        SetInput(graph.inputs[0][0], TensorType("float32", ("N", None, None, 3))),
    ]


@pytest.mark.parametrize(("frame", "suffix"), KINDS, ids=IDS)
@pytest.mark.parametrize("build", [chain, branched])
def test_a_flatten_head_becomes_convolutional(
    frame: ModuleType, suffix: str, build: object, tmp_path: Path
) -> None:
    model, images, labels = trained(frame, build(frame))
    path, lost = patched(tmp_path, model, suffix, unlock)
    new = loaded(frame, path)
    assert largest(model.predict(images, verbose=0), new.predict(images, verbose=0)) < CLOSE
    assert (1, 3) == new.predict(np.zeros((1, 12, 11, 3), "float32"), verbose=0).shape
    assert "hidden/kernel" in lost
    assert np.isfinite(new.train_on_batch(images, labels)[0])


@pytest.mark.parametrize(("frame", "suffix"), KINDS, ids=IDS)
@pytest.mark.parametrize(("build", "name"), [(chain, "drop"), (branched, "base/drop")])
def test_a_dropout_goes_and_the_state_of_training_stays(
    frame: ModuleType, suffix: str, build: object, name: str, tmp_path: Path
) -> None:
    model, images, labels = trained(frame, build(frame))
    path, lost = patched(tmp_path, model, suffix, bypass(name))
    assert not lost
    new = loaded(frame, path)
    assert largest(model.predict(images, verbose=0), new.predict(images, verbose=0)) == 0.0
    if suffix == ".keras":  # Keras 3 cannot train a .h5 that holds the state of an optimizer, also unpatched
        assert 1 == int(new.optimizer.iterations.numpy())
        assert np.isfinite(new.train_on_batch(images, labels)[0])


@pytest.mark.parametrize(("frame", "suffix"), KINDS, ids=IDS)
def test_weights_of_later_layers_are_renumbered(frame: ModuleType, suffix: str, tmp_path: Path) -> None:
    model, images, labels = trained(frame, chain(frame))
    path, _ = patched(tmp_path, model, suffix, bypass("b"))
    new = loaded(frame, path)
    assert ["a", "c"] == [one.name for one in new.layers if type(one).__name__ == "Conv2D"]
    wanted = images
    for one in model.layers:
        wanted = wanted if one.name == "b" else one(wanted, training=False)
    assert largest(np.asarray(wanted), new.predict(images, verbose=0)) < CLOSE
    assert np.isfinite(new.train_on_batch(images, labels)[0])


@pytest.mark.parametrize(("frame", "suffix"), KINDS, ids=IDS)
def test_one_of_two_branches_gets_longer(frame: ModuleType, suffix: str, tmp_path: Path) -> None:
    """The layers of one class change their order by depth, and with it their numbers."""
    model, images, _ = trained(frame, branched(frame))

    def longer(graph: Graph) -> list[Edit]:
        old = graph.by_name["right"]
        kernel, bias = old.params
        conv = replace(
            old,
            name="more",
            inputs=("right",),
            outputs=("more",),
            attrs={"filters": 4, "kernel": (1, 1)},
            params=(
                replace(kernel, name="more/kernel", shape=(1, 1, 4, 4)),
                replace(bias, name="more/bias"),
            ),
            origin=Origin("", ("more",)),
        )
        made = {
            "more/kernel": Made((), lambda: 2 * np.eye(4, dtype="float32")[None, None]),
            "more/bias": Made((), lambda: np.zeros(4, "float32")),
        }
        return [Splice(added=(conv,), moved={"right": "more"}, tensors=made)]

    path, _ = patched(tmp_path, model, suffix, longer)
    new = loaded(frame, path)
    maps = model.get_layer("base")(images)
    y = model.get_layer("left")(maps) + 2 * model.get_layer("right")(maps)
    for name in ("late", "flatten", "hidden", "head"):
        y = model.get_layer(name)(y)
    assert largest(np.asarray(y), new.predict(images, verbose=0)) < CLOSE


@pytest.mark.parametrize(("frame", "suffix"), KINDS, ids=IDS)
def test_a_flatten_behind_global_pooling_goes(frame: ModuleType, suffix: str, tmp_path: Path) -> None:
    own = frame.layers
    stack = [own.Conv2D(4, 3, name="a"), own.GlobalAveragePooling2D(name="gap"), own.Flatten(name="flatten")]
    model, images, _ = trained(
        frame,
        frame.Sequential([start(frame, (8, 8, 3)), *stack, own.Dense(3, activation="softmax", name="head")]),
    )
    path, lost = patched(tmp_path, model, suffix, bypass("flatten"))
    new = loaded(frame, path)
    assert not lost
    assert "flatten" not in [one.name for one in new.layers]
    assert largest(model.predict(images, verbose=0), new.predict(images, verbose=0)) == 0.0


@pytest.mark.parametrize("is_functional", [False, True])
@pytest.mark.parametrize(("frame", "suffix"), KINDS, ids=IDS)
def test_the_activation_of_a_head_moves_behind_pooling(
    frame: ModuleType, suffix: str, is_functional: bool, tmp_path: Path
) -> None:
    """The output keeps its name, ``head/softmax``, which only a model called "head" can give then."""
    own = frame.layers
    stack = [own.Conv2D(5, 3, name="a"), own.Flatten(name="flatten")]
    stack.append(own.Dense(3, activation="softmax", name="head"))
    if is_functional:
        x = y = own.Input((8, 8, 3), name="x")
        for one in stack:
            y = one(y)
        whole = frame.Model(x, y)
    else:
        whole = frame.Sequential([start(frame, (8, 8, 3)), *stack])
    model, images, labels = trained(frame, whole)

    def edits(graph: Graph) -> list[Edit]:
        node, last = graph.by_name["head"], graph.by_name["head/softmax"]
        kernel, bias = node.params
        params = (replace(kernel, name="conv/kernel", shape=(6, 6, 5, 3)), replace(bias, name="conv/bias"))
        attrs = {"filters": 3, "kernel": (6, 6)}
        conv = Node("conv", "Conv", ("a",), ("conv",), attrs, params, (), Origin("", ("conv",)))
        pool = Node(
            "pooled", "GlobalAveragePool", ("conv",), ("pooled",), {}, (), (), Origin("", ("pooled",))
        )
        softmax = replace(last, inputs=("pooled",), origin=Origin("", ("head",)))
        made = {
            "conv/kernel": Made((kernel.name,), lambda values: values.reshape(6, 6, 5, 3)),
            "conv/bias": Made((bias.name,), lambda values: values),
        }
        free = SetInput(graph.inputs[0][0], TensorType("float32", ("N", None, None, 3)))
        removed = frozenset({"flatten", "head", "head/softmax"})
        return [Splice(removed, (conv, pool, softmax), {}, made), free]

    path, _ = patched(tmp_path, model, suffix, edits)
    new = loaded(frame, path)
    assert largest(model.predict(images, verbose=0), new.predict(images, verbose=0)) < CLOSE
    assert (1, 3) == new.predict(np.zeros((1, 12, 11, 3), "float32"), verbose=0).shape
    assert np.isfinite(new.train_on_batch(images, labels)[0])


@pytest.mark.parametrize(("frame", "suffix"), KINDS, ids=IDS)
def test_a_sequence_layer_gives_its_last_step(frame: ModuleType, suffix: str, tmp_path: Path) -> None:
    own = frame.layers
    x = own.Input((6, 3), name="x")
    y = own.LSTM(4, return_sequences=True, name="lstm")(x)
    model = frame.Model(x, own.Dense(2, name="head")(own.GlobalMaxPooling1D(name="pool")(y)))

    def edits(graph: Graph) -> list[Edit]:
        node, head = graph.by_name["lstm"], graph.by_name["head"]
        attrs = {key: item for key, item in node.attrs.items() if key != "return_sequences"}
        added = (replace(node, attrs=attrs, origin=Origin("", ("lstm",))), replace(head, inputs=("lstm",)))
        return [Splice(frozenset({"lstm", "pool", "head"}), added)]

    path, _ = patched(tmp_path, model, suffix, edits)
    new = loaded(frame, path)
    steps = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    wanted = model.get_layer("head")(model.get_layer("lstm")(steps)[:, -1])
    assert largest(np.asarray(wanted), new.predict(steps, verbose=0)) < CLOSE


@pytest.mark.parametrize(("frame", "suffix"), KINDS, ids=IDS)
def test_compile_settings_are_changed_where_they_stand(
    frame: ModuleType, suffix: str, tmp_path: Path
) -> None:
    own = frame.layers
    model, images, labels = trained(
        frame, frame.Sequential([start(frame, (8, 8, 3)), own.Flatten(), own.Dense(3, name="head")])
    )

    def edits(graph: Graph) -> list[Edit]:
        old = graph.training
        assert old is not None
        loss = replace(old.losses[0], attrs={"from_logits": True})
        metric = Setting("sparse_categorical_accuracy", old.metrics[0].output)
        return [SetTraining(replace(old, losses=(loss,), metrics=(metric,)))]

    path, _ = patched(tmp_path, model, suffix, edits)
    new = loaded(frame, path)
    logits = model.predict(images, verbose=0)
    assert largest(logits, new.predict(images, verbose=0)) == 0.0
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    wanted = float(-np.log(shares[np.arange(4), labels]).mean())
    assert abs(wanted - new.evaluate(images, labels, verbose=0)[0]) < CLOSE * 3


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_only_training_needs_goes_and_the_file_loads_without_a_warning_of_it(
    suffix: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    model = chain(keras)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    path, why = patched(tmp_path, model, suffix, lambda _: [SetTraining(None)])
    slots = 2 * 4 * sum(int(np.prod(value.shape)) for value in model.trainable_variables)
    assert (tmp_path / f"m{suffix}").stat().st_size - path.stat().st_size > slots
    assert "only training" in why
    new = loaded(keras, path)
    assert [] == [str(row.message) for row in recwarn if "optimizer" in str(row.message)]
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    assert largest(model(images).numpy(), new(images).numpy()) == 0.0
