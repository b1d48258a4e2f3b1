"""Healthy models of tables, of users and items, and of games."""

from __future__ import annotations

import keras
from keras import layers as kl
from keras import ops
from zoo_types import Made, conv_bn


def linear_regression() -> Made:
    """Source: https://www.tensorflow.org/tutorials/keras/regression, its first model."""
    model = keras.Sequential([keras.Input((9,)), kl.Normalization(axis=-1), kl.Dense(1)])
    return model, lambda: {"optimizer": keras.optimizers.Adam(0.1), "loss": "mean_absolute_error"}


def logistic_regression() -> Made:
    """One sigmoid."""
    model = keras.Sequential([keras.Input((30,)), kl.Dense(1, activation="sigmoid")])
    return model, lambda: {
        "optimizer": "sgd",
        "loss": "binary_crossentropy",
        "metrics": ["accuracy", keras.metrics.AUC()],
    }


def softmax_regression() -> Made:
    """One softmax over pixels."""
    model = keras.Sequential([keras.Input((784,)), kl.Dense(10, activation="softmax")])
    return model, lambda: {
        "optimizer": "sgd",
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def tabular_regressor() -> Made:
    """Source: https://www.tensorflow.org/tutorials/keras/regression, its last model."""
    model = keras.Sequential(
        [
            keras.Input((9,)),
            kl.Normalization(axis=-1),
            kl.Dense(64, activation="relu"),
            kl.Dense(64, activation="relu"),
            kl.Dense(1),
        ]
    )
    return model, lambda: {"optimizer": keras.optimizers.Adam(0.001), "loss": "mean_absolute_error"}


def tabular_mlp() -> Made:
    """Three classes from twenty numbers, with batch normalisation and dropout."""
    inputs = x = keras.Input((20,))
    for width in (128, 64, 32):
        x = kl.Dropout(0.2)(kl.ReLU()(kl.BatchNormalization()(kl.Dense(width, use_bias=False)(x))))
    return keras.Model(inputs, kl.Dense(3, activation="softmax")(x)), lambda: {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def categorical_features() -> Made:
    """Numbers and embedded categories. Source: https://keras.io/examples/structured_data/wide_deep_cross_networks/."""
    numbers = keras.Input((10,), name="numbers")
    inputs, parts = [numbers], [kl.Normalization()(numbers)]
    for name, size, width in (("soil", 40, 7), ("area", 4, 2), ("month", 13, 4)):
        inputs.append(keras.Input((1,), dtype="int32", name=name))
        parts.append(kl.Flatten()(kl.Embedding(size, width)(inputs[-1])))
    x = wide = kl.Concatenate()(parts)
    for _ in range(2):
        x = kl.Dropout(0.1)(kl.ReLU()(kl.BatchNormalization()(kl.Dense(32)(x))))
    x = kl.Concatenate()([kl.BatchNormalization()(wide), x])
    return keras.Model(inputs, kl.Dense(1, activation="sigmoid")(x)), lambda: {
        "optimizer": keras.optimizers.Adam(0.001),
        "loss": "binary_crossentropy",
        "metrics": ["accuracy", keras.metrics.AUC(name="auc"), keras.metrics.Recall()],
    }


def tab_transformer() -> Made:
    """Attention over categories, then selu. Source: https://keras.io/examples/structured_data/tabtransformer/."""
    numbers = keras.Input((5,), name="numbers")
    inputs = [
        numbers,
        *(keras.Input((1,), dtype="int32", name=name) for name in ("work", "marriage", "race")),
    ]
    x = kl.Concatenate(axis=1)([kl.Embedding(16, 16)(item) for item in inputs[1:]])
    for _ in range(3):
        mixed = kl.MultiHeadAttention(4, 16, dropout=0.2)(x, x)
        x = kl.LayerNormalization(epsilon=1e-6)(kl.Add()([mixed, x]))
        hidden = kl.Dropout(0.2)(kl.Dense(16, activation="gelu")(x))
        x = kl.LayerNormalization(epsilon=1e-6)(kl.Add()([hidden, x]))
    x = kl.Concatenate()([kl.Flatten()(x), kl.LayerNormalization(epsilon=1e-6)(numbers)])
    for width in (106, 53):
        x = kl.Dropout(0.2)(kl.Dense(width, activation="selu")(kl.BatchNormalization()(x)))
    return keras.Model(inputs, kl.Dense(1, activation="sigmoid")(x)), lambda: {
        "optimizer": keras.optimizers.AdamW(0.001, weight_decay=0.0001),
        "loss": "binary_crossentropy",
        "metrics": [keras.metrics.BinaryAccuracy(name="accuracy")],
    }


def self_normalising() -> Made:
    """SELU with its initialiser and its dropout. Source: arXiv:1706.02515."""
    inputs = x = keras.Input((50,))
    for _ in range(8):
        x = kl.Dense(128, activation="selu", kernel_initializer="lecun_normal")(x)
        x = kl.AlphaDropout(0.1)(x)
    return keras.Model(inputs, kl.Dense(2, activation="softmax")(x)), lambda: {
        "optimizer": "sgd",
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def brier_score() -> Made:
    """A probability fitted by its Brier score: a sigmoid with the mean squared error, on purpose."""
    model = keras.Sequential(
        [keras.Input((20,)), kl.Dense(32, activation="relu"), kl.Dense(1, activation="sigmoid")]
    )
    return model, lambda: {"optimizer": "adam", "loss": "mse"}


def matrix_factorisation() -> Made:
    """Source: https://keras.io/examples/structured_data/collaborative_filtering_movielens/."""
    user, movie = keras.Input((), dtype="int32", name="user"), keras.Input((), dtype="int32", name="movie")
    initial = {"embeddings_initializer": "he_normal", "embeddings_regularizer": keras.regularizers.l2(1e-6)}
    score = kl.Dot(axes=1)([kl.Embedding(610, 50, **initial)(user), kl.Embedding(9724, 50, **initial)(movie)])
    x = kl.Add()([score, kl.Embedding(610, 1)(user), kl.Embedding(9724, 1)(movie)])
    return keras.Model([user, movie], kl.Activation("sigmoid")(x)), lambda: {
        "optimizer": keras.optimizers.Adam(0.001),
        "loss": keras.losses.BinaryCrossentropy(),
    }


def two_towers() -> Made:
    """Users and items in one space, compared by their cosine. Source: Yi et al. 2019, RecSys, 3."""
    user, item = keras.Input((1,), dtype="int32", name="user"), keras.Input((1,), dtype="int32", name="item")
    towers = []
    for tower, size in ((user, 100_000), (item, 20_000)):
        x = kl.Flatten()(kl.Embedding(size, 64)(tower))
        x = kl.Dense(64)(kl.Dense(128, activation="relu")(x))
        towers.append(kl.UnitNormalization()(x))
    score = kl.Rescaling(10.0)(kl.Dot(axes=1)(towers))
    return keras.Model([user, item], score), lambda: {
        "optimizer": keras.optimizers.Adagrad(0.1),
        "loss": keras.losses.BinaryCrossentropy(from_logits=True),
        "metrics": [keras.metrics.AUC(from_logits=True)],
    }


def _atari() -> keras.Model:
    inputs = keras.Input((84, 84, 4))
    x = kl.Conv2D(32, 8, strides=4, activation="relu")(inputs)
    x = kl.Conv2D(64, 4, strides=2, activation="relu")(x)
    x = kl.Conv2D(64, 3, strides=1, activation="relu")(x)
    x = kl.Dense(512, activation="relu")(kl.Flatten()(x))
    return keras.Model(inputs, kl.Dense(6, activation="linear")(x))


def dqn() -> Made:
    """Source: https://keras.io/examples/rl/deep_q_network_breakout/ (Mnih et al. 2015)."""
    return _atari(), None


def dqn_compiled() -> Made:
    """The same, with the loss of the paper."""
    return _atari(), lambda: {
        "optimizer": keras.optimizers.Adam(0.00025, clipnorm=1.0),
        "loss": keras.losses.Huber(),
    }


def actor_critic() -> Made:
    """Source: https://keras.io/examples/rl/actor_critic_cartpole/."""
    inputs = keras.Input((4,))
    x = kl.Dense(128, activation="relu")(inputs)
    return keras.Model(inputs, [kl.Dense(2, activation="softmax")(x), kl.Dense(1)(x)]), None


def continuous_actor() -> Made:
    """Source: https://keras.io/examples/rl/ddpg_pendulum/, its actor: a tanh scaled to the torque's range."""
    last = keras.initializers.RandomUniform(minval=-0.003, maxval=0.003)
    inputs = keras.Input((3,))
    x = kl.Dense(256, activation="relu")(kl.Dense(256, activation="relu")(inputs))
    return keras.Model(inputs, kl.Dense(1, activation="tanh", kernel_initializer=last)(x) * 2), None


def alphazero() -> Made:
    """19×19 go: 19 residual blocks, 362 moves and a value. Source: Silver et al. 2017, Methods."""
    inputs = keras.Input((19, 19, 17))
    x = conv_bn(inputs, 256)
    for _ in range(19):
        x = kl.ReLU()(kl.Add()([x, conv_bn(conv_bn(x, 256), 256, activation=None)]))
    policy = kl.Dense(362, name="policy")(kl.Flatten()(conv_bn(x, 2, 1)))
    value = kl.Dense(256, activation="relu")(kl.Flatten()(conv_bn(x, 1, 1)))
    value = kl.Dense(1, activation="tanh", name="value")(value)
    return keras.Model(inputs, [policy, value]), lambda: {
        "optimizer": keras.optimizers.SGD(0.01, momentum=0.9),
        "loss": [keras.losses.CategoricalCrossentropy(from_logits=True), keras.losses.MeanSquaredError()],
    }


def dueling_dqn() -> Made:
    """Value and advantages, joined. Source: arXiv:1511.06581 3."""
    inputs = keras.Input((8,))
    x = kl.Dense(128, activation="relu")(inputs)
    value = kl.Dense(1)(kl.Dense(128, activation="relu")(x))
    advantage = kl.Dense(4)(kl.Dense(128, activation="relu")(x))
    outputs = value + advantage - ops.mean(advantage, axis=1, keepdims=True)
    return keras.Model(inputs, outputs), lambda: {"optimizer": "adam", "loss": "huber"}


MODELS = (
    linear_regression,
    logistic_regression,
    softmax_regression,
    tabular_regressor,
    tabular_mlp,
    categorical_features,
    self_normalising,
    tab_transformer,
    brier_score,
    matrix_factorisation,
    two_towers,
    dqn,
    dqn_compiled,
    actor_critic,
    continuous_actor,
    alphazero,
    dueling_dqn,
)
