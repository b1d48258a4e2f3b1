"""The networks of the patch study: made, trained, judged and timed."""

from __future__ import annotations

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from tasks import Task

# Two tasks are worked on at a time, each on one core.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

FEW = 1_000
"""Tasks with fewer samples train in batches of 16 instead of 64, up to 100 times through instead of 25."""


def network(task: Task, seed: int = 0, hidden: bool = True, pools: int = 2) -> keras.Model:
    """Three convolutions, pools, Flatten of 6×6×32 or 6×32, a dense layer of 64; trained until it stops."""
    keras.utils.set_random_seed(seed)
    classes = int(task.train[1].max()) + 1
    layers = keras.layers
    convolution, pool = (
        (layers.Conv2D, layers.MaxPooling2D)
        if task.train[0].ndim == 4
        else (layers.Conv1D, layers.MaxPooling1D)
    )
    trunk: list[keras.layers.Layer] = []
    for index, filters in enumerate((16, 32, 32)):
        trunk.append(convolution(filters, 3, padding="same", activation="relu"))
        trunk += [pool()] if index < pools else []
    model = keras.Sequential(
        [
            keras.Input(task.train[0].shape[1:], name="image"),
            *trunk,
            layers.Flatten(),
            *([layers.Dense(64, activation="relu")] if hidden else []),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    functional = keras.Model(model.inputs, model.outputs)
    compiled(functional)
    few = len(task.train[1]) < FEW
    stop = keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    batch, epochs = (16, 100) if few else (64, 25)
    functional.fit(
        *task.train, validation_split=0.15, epochs=epochs, batch_size=batch, callbacks=[stop], verbose=0
    )
    return functional


def compiled(model: keras.Model) -> keras.Model:
    """The model, ready for a fresh Adam; without XLA, whose compiler takes longer than it saves."""
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    return model


def trained_on(model: keras.Model, task: Task) -> tuple[float, ...]:
    """Accuracies after one and after five times through the training data in batches of 16."""
    keras.utils.set_random_seed(0)
    compiled(model)
    found = []
    for more in (1, 4):
        model.fit(*task.train, epochs=more, batch_size=16, verbose=0)
        found.append(accuracy(model, task))
    return tuple(found)


def said(model: keras.Model, samples: np.ndarray) -> np.ndarray:
    """The class that the model names for each sample, (N,)."""
    parts = np.array_split(samples, 1 + len(samples) // 256)
    return np.concatenate([np.asarray(model(part, training=False)) for part in parts]).argmax(axis=1)


def accuracy(model: keras.Model, task: Task) -> float:
    """The part of the judging samples that the model gets right."""
    return float((said(model, task.test[0]) == task.test[1]).mean())


def milliseconds(model: keras.Model, samples: np.ndarray) -> float:
    """Median of 20 runs of 256 samples, after five to warm up."""
    times = []
    for _ in range(25):
        began = time.perf_counter()
        model.predict_on_batch(samples)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[5:])
