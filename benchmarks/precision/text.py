"""Healthy models of text and tokens."""

from __future__ import annotations

from functools import partial

import keras
import numpy
from keras import layers as kl
from keras import ops
from zoo_types import Made, feed_forward


@keras.saving.register_keras_serializable("zoo")
class PatchEncoder(kl.Layer):
    """Adds a learned class token and learned positions: (N, T, D) → (N, T + 1, D); no reader knows it."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")
        self.positions = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), name="positions")

    def call(self, patches: keras.KerasTensor) -> keras.KerasTensor:
        token = ops.broadcast_to(self.token, (ops.shape(patches)[0], 1, patches.shape[-1]))
        return ops.concatenate([token, patches], axis=1) + self.positions


def _pre_norm(x: keras.KerasTensor, heads: int) -> keras.KerasTensor:
    width = x.shape[-1]
    y = kl.LayerNormalization(epsilon=1e-6)(x)
    y = kl.MultiHeadAttention(heads, width // heads, dropout=0.1)(y, y)
    x = kl.Add()([x, y])
    return kl.Add()([x, feed_forward(kl.LayerNormalization(epsilon=1e-6)(x), 4 * width)])


def _gpt_block(x: keras.KerasTensor, heads: int) -> keras.KerasTensor:
    width = x.shape[-1]
    y = kl.LayerNormalization(epsilon=1e-5)(x)
    y = kl.MultiHeadAttention(heads, width // heads, dropout=0.1)(y, y, use_causal_mask=True)
    x = kl.Add()([x, y])
    y = feed_forward(kl.LayerNormalization(epsilon=1e-5)(x), 4 * width, partial(ops.gelu, approximate=True))
    return kl.Add()([x, y])


def _post_norm(x: keras.KerasTensor, heads: int, width: int, activation: str = "gelu") -> keras.KerasTensor:
    y = kl.MultiHeadAttention(heads, x.shape[-1] // heads, dropout=0.1)(x, x)
    x = kl.LayerNormalization(epsilon=1e-12)(kl.Add()([x, y]))
    return kl.LayerNormalization(epsilon=1e-12)(kl.Add()([x, feed_forward(x, width, activation)]))


def vit() -> Made:
    """ViT-S/16 with its class token. Source: arXiv:2010.11929 3.1."""
    inputs = keras.Input((224, 224, 3))
    x = PatchEncoder()(kl.Reshape((196, 384))(kl.Conv2D(384, 16, strides=16)(inputs)))
    for _ in range(12):
        x = _pre_norm(x, 6)
    x = kl.LayerNormalization(epsilon=1e-6)(x)[:, 0]
    return keras.Model(inputs, kl.Dense(1000)(x)), lambda: {
        "optimizer": keras.optimizers.AdamW(1e-3, weight_decay=1e-4),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(5)],
    }


def simple_vit() -> Made:
    """Fixed positions and a global pool in place of a class token. Source: arXiv:2205.01580."""
    angle = numpy.arange(64)[:, None] / 10000 ** (numpy.arange(96) / 96)
    positions = numpy.concatenate([numpy.sin(angle), numpy.cos(angle)], 1)[None].astype("float32")
    inputs = keras.Input((64, 64, 3))
    x = kl.Reshape((64, 192))(kl.Conv2D(192, 8, strides=8)(inputs)) + positions
    for _ in range(6):
        x = _pre_norm(x, 3)
    x = kl.GlobalAveragePooling1D()(kl.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(inputs, kl.Dense(100)(x)), lambda: {
        "optimizer": keras.optimizers.AdamW(1e-3),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def bert_encoder() -> Made:
    """Tokens, segments, positions, post-norm blocks and the tanh pooler. Source: arXiv:1810.04805 3, A.2."""
    tokens, segments, positions = (
        keras.Input((128,), dtype="int32", name=name) for name in ("input_ids", "segment_ids", "position_ids")
    )
    parts = [
        kl.Embedding(30522, 256)(tokens),
        kl.Embedding(2, 256)(segments),
        kl.Embedding(512, 256)(positions),
    ]
    x = kl.Dropout(0.1)(kl.LayerNormalization(epsilon=1e-12)(kl.Add()(parts)))
    for _ in range(4):
        x = _post_norm(x, 4, 1024)
    x = kl.Dropout(0.1)(kl.Dense(256, activation="tanh", name="pooler")(x[:, 0]))
    return keras.Model([tokens, segments, positions], kl.Dense(2)(x)), lambda: {
        "optimizer": keras.optimizers.AdamW(2e-5),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def gpt_decoder() -> Made:
    """Causal blocks over tokens and learned positions, scores for every next token. Source: GPT-2, 2.3."""
    tokens = keras.Input((256,), dtype="int32")
    positions = kl.Embedding(256, 384)(ops.cumsum(ops.ones_like(tokens), axis=1) - 1)
    x = kl.Dropout(0.1)(kl.Add()([kl.Embedding(50257, 384)(tokens), positions]))
    for _ in range(6):
        x = _gpt_block(x, 6)
    x = kl.Dense(50257, use_bias=False)(kl.LayerNormalization(epsilon=1e-5)(x))
    return keras.Model(tokens, x), lambda: {
        "optimizer": keras.optimizers.AdamW(6e-4),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def translation_transformer() -> Made:
    """Encoder, causal decoder and cross-attention. Source: arXiv:1706.03762 3."""
    source, target = (keras.Input((40,), dtype="int32", name=name) for name in ("source", "target"))
    places = [ops.cumsum(ops.ones_like(item), axis=1) - 1 for item in (source, target)]
    x = kl.Add()([kl.Embedding(15000, 256)(source), kl.Embedding(40, 256)(places[0])])
    for _ in range(2):
        x = _post_norm(x, 8, 1024, "relu")
    y = kl.Add()([kl.Embedding(15000, 256)(target), kl.Embedding(40, 256)(places[1])])
    for _ in range(2):
        y = kl.LayerNormalization()(kl.Add()([y, kl.MultiHeadAttention(8, 32)(y, y, use_causal_mask=True)]))
        y = kl.LayerNormalization()(kl.Add()([y, kl.MultiHeadAttention(8, 32)(y, x)]))
        y = kl.LayerNormalization()(kl.Add()([y, feed_forward(y, 1024, "relu")]))
    y = kl.Dense(15000, activation="softmax")(kl.Dropout(0.5)(y))
    return keras.Model([source, target], y), lambda: {
        "optimizer": "rmsprop",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def bilstm() -> Made:
    """Source: https://keras.io/examples/nlp/bidirectional_lstm_imdb/."""
    inputs = keras.Input((None,), dtype="int32")
    x = kl.Embedding(20000, 128)(inputs)
    x = kl.Bidirectional(kl.LSTM(64, return_sequences=True))(x)
    x = kl.Bidirectional(kl.LSTM(64))(x)
    return keras.Model(inputs, kl.Dense(1, activation="sigmoid")(x)), lambda: {
        "optimizer": "adam",
        "loss": "binary_crossentropy",
        "metrics": ["accuracy"],
    }


def masked_gru() -> Made:
    """Padded tokens, masked; the logits of one label. Source: https://www.tensorflow.org/text/tutorials/text_classification_rnn."""
    inputs = keras.Input((None,), dtype="int32")
    x = kl.Embedding(1000, 64, mask_zero=True)(inputs)
    x = kl.Dense(64, activation="relu")(kl.Bidirectional(kl.GRU(64))(x))
    return keras.Model(inputs, kl.Dense(1)(x)), lambda: {
        "optimizer": keras.optimizers.Adam(1e-4),
        "loss": keras.losses.BinaryCrossentropy(from_logits=True),
        "metrics": [keras.metrics.BinaryAccuracy(threshold=0.0)],
    }


def tagger() -> Made:
    """A label for every token of a masked sentence. Source: arXiv:1508.01991 3.2 without its CRF."""
    inputs = keras.Input((None,), dtype="int32")
    x = kl.SpatialDropout1D(0.2)(kl.Embedding(20000, 100, mask_zero=True)(inputs))
    x = kl.Bidirectional(kl.LSTM(100, return_sequences=True))(x)
    return keras.Model(inputs, kl.TimeDistributed(kl.Dense(17, activation="softmax"))(x)), lambda: {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def text_cnn() -> Made:
    """Windows of three, four and five words, the strongest of each. Source: arXiv:1408.5882."""
    inputs = keras.Input((60,), dtype="int32")
    x = kl.Embedding(20000, 300)(inputs)
    peaks = [kl.GlobalMaxPooling1D()(kl.Conv1D(100, width, activation="relu")(x)) for width in (3, 4, 5)]
    x = kl.Dropout(0.5)(kl.Concatenate()(peaks))
    return keras.Model(inputs, kl.Dense(2, activation="softmax")(x)), lambda: {
        "optimizer": "adadelta",
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def seq2seq_lstm() -> Made:
    """Source: https://keras.io/examples/nlp/lstm_seq2seq/."""
    source, target = keras.Input((None, 71)), keras.Input((None, 93))
    _, *state = kl.LSTM(256, return_state=True)(source)
    x, _, _ = kl.LSTM(256, return_sequences=True, return_state=True)(target, initial_state=state)
    return keras.Model([source, target], kl.Dense(93, activation="softmax")(x)), lambda: {
        "optimizer": "rmsprop",
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def char_gru() -> Made:
    """The next character, with a state that is kept. Source: https://www.tensorflow.org/text/tutorials/text_generation."""
    inputs = keras.Input(batch_shape=(64, 100), dtype="int32")
    x = kl.GRU(1024, return_sequences=True, stateful=True)(kl.Embedding(66, 256)(inputs))
    return keras.Model(inputs, kl.Dense(66)(x)), lambda: {
        "optimizer": "adam",
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }


MODELS = (
    vit,
    simple_vit,
    bert_encoder,
    gpt_decoder,
    translation_transformer,
    bilstm,
    masked_gru,
    tagger,
    text_cnn,
    seq2seq_lstm,
    char_gru,
)
