"""A row per layer of keras.layers and setting: class name, arguments, input shapes without the batch axis."""

from __future__ import annotations

from typing import Any

Row = tuple[str, dict[str, Any], tuple[tuple[int | None, ...], ...]]

MAP = (8, 9, 3)
SEQ = (12, 5)
VOLUME = (6, 7, 8, 2)
CLIP = (4, 8, 9, 3)

_SLIDING: tuple[Row, ...] = tuple(
    row
    for rank, shape in ((1, SEQ), (2, MAP), (3, VOLUME))
    for row in (
        (f"Conv{rank}D", {"filters": 4, "kernel_size": 3, "activation": "relu"}, (shape,)),
        (f"Conv{rank}D", {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2}, (shape,)),
        (f"Conv{rank}D", {"filters": 4, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, (shape,)),
        (f"Conv{rank}DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}, (shape,)),
        (
            f"Conv{rank}DTranspose",
            {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
            (shape,),
        ),
        (
            f"Conv{rank}DTranspose",
            {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1},
            (shape,),
        ),
        (f"MaxPooling{rank}D", {"pool_size": 2}, (shape,)),
        (f"MaxPooling{rank}D", {"pool_size": 3, "strides": 2, "padding": "same"}, (shape,)),
        (f"AveragePooling{rank}D", {"pool_size": 3, "strides": 1}, (shape,)),
        (f"AveragePooling{rank}D", {"pool_size": 2, "padding": "same"}, (shape,)),
        (f"GlobalAveragePooling{rank}D", {}, (shape,)),
        (f"GlobalAveragePooling{rank}D", {"keepdims": True}, (shape,)),
        (f"GlobalMaxPooling{rank}D", {}, (shape,)),
        (f"GlobalMaxPooling{rank}D", {"keepdims": True, "data_format": "channels_first"}, (shape,)),
        (f"AdaptiveAveragePooling{rank}D", {"output_size": 3}, (shape,)),
        (f"AdaptiveMaxPooling{rank}D", {"output_size": 2}, (shape,)),
        (f"ZeroPadding{rank}D", {"padding": 2}, (shape,)),
        (f"Cropping{rank}D", {"cropping": 1}, (shape,)),
        (f"UpSampling{rank}D", {"size": 3}, (shape,)),
        (f"SpatialDropout{rank}D", {"rate": 0.3}, (shape,)),
    )
)

_RECURRENT: tuple[Row, ...] = tuple(
    row
    for name in ("LSTM", "GRU", "SimpleRNN")
    for row in (
        (name, {"units": 7}, (SEQ,)),
        (name, {"units": 7, "return_sequences": True, "use_bias": False}, (SEQ,)),
        (name, {"units": 7, "return_state": True, "go_backwards": True}, (SEQ,)),
        (name, {"units": 7, "return_sequences": True}, ((None, 5),)),
    )
)

_CONV_LSTM: tuple[Row, ...] = (
    ("ConvLSTM1D", {"filters": 4, "kernel_size": 3}, ((4, 9, 3),)),
    ("ConvLSTM2D", {"filters": 4, "kernel_size": 3, "return_sequences": True}, (CLIP,)),
    ("ConvLSTM2D", {"filters": 4, "kernel_size": 3, "padding": "same", "return_state": True}, (CLIP,)),
    ("ConvLSTM3D", {"filters": 4, "kernel_size": 2, "strides": 2}, ((4, *VOLUME),)),
)

_MERGES: tuple[Row, ...] = (
    *((name, {}, (MAP, MAP, MAP)) for name in ("Add", "Average", "Maximum", "Minimum", "Multiply")),
    ("Add", {}, (MAP, (1, 1, 3))),
    ("Subtract", {}, (MAP, MAP)),
    ("Concatenate", {}, (MAP, MAP)),
    ("Concatenate", {"axis": 1}, (MAP, (5, 9, 3))),
    ("Dot", {"axes": 1}, ((6,), (6,))),
    ("Dot", {"axes": (2, 1), "normalize": True}, ((4, 6), (6, 3))),
)

_PLAIN: tuple[Row, ...] = (
    ("Activation", {"activation": "relu"}, (MAP,)),
    ("Activation", {"activation": "softmax"}, (SEQ,)),
    ("ActivityRegularization", {"l1": 0.1}, (SEQ,)),
    ("AlphaDropout", {"rate": 0.1}, (SEQ,)),
    ("BatchNormalization", {}, (MAP,)),
    ("BatchNormalization", {"axis": 1, "scale": False}, (MAP,)),
    ("BatchNormalization", {"center": False}, (SEQ,)),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 1), "groups": 3, "data_format": "channels_last"}, (MAP,)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (SEQ,)),
    ("Conv2D", {"filters": 4, "kernel_size": 3}, ((None, None, 3),)),
    ("Cropping2D", {"cropping": ((1, 2), (0, 3))}, (MAP,)),
    ("Cropping1D", {"cropping": (0, 0)}, (SEQ,)),
    ("Dense", {"units": 4}, ((6,),)),
    ("Dense", {"units": 4, "use_bias": False, "activation": "gelu"}, (SEQ,)),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, (SEQ,)),
    ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "strides": 2}, (MAP,)),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 3, "use_bias": False}, (MAP,)),
    ("Dropout", {"rate": 0.2, "noise_shape": (None, 1, 3)}, ((4, 3),)),
    ("ELU", {"alpha": 0.5}, (SEQ,)),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (12, 7), "bias_axes": "d"}, (SEQ,)),
    ("EinsumDense", {"equation": "...x,xyz->...yz", "output_shape": (2, 3), "bias_axes": "yz"}, (SEQ,)),
    ("Embedding", {"input_dim": 30, "output_dim": 4}, ((12,),)),
    ("Embedding", {"input_dim": 30, "output_dim": 4, "mask_zero": True}, ((None,),)),
    ("ReversibleEmbedding", {"input_dim": 30, "output_dim": 4}, ((12,),)),
    ("ReversibleEmbedding", {"input_dim": 30, "output_dim": 4, "tie_weights": False}, ((12,),)),
    ("Flatten", {}, (MAP,)),
    ("Flatten", {"data_format": "channels_first"}, (MAP,)),
    ("GaussianDropout", {"rate": 0.2}, (SEQ,)),
    ("GaussianNoise", {"stddev": 0.2}, (SEQ,)),
    ("GroupNormalization", {"groups": 3}, (MAP,)),
    ("GroupNormalization", {"groups": -1, "scale": False}, (MAP,)),
    ("Identity", {}, (SEQ,)),
    ("LayerNormalization", {}, (MAP,)),
    ("LayerNormalization", {"axis": [1, 2, 3], "center": False}, (MAP,)),
    ("LeakyReLU", {"negative_slope": 0.1}, (SEQ,)),
    ("Masking", {"mask_value": 1.0}, (SEQ,)),
    ("Normalization", {}, (SEQ,)),
    ("Normalization", {"axis": None}, (SEQ,)),
    ("Normalization", {"mean": 1.0, "variance": 2.0}, (SEQ,)),
    ("PReLU", {}, (MAP,)),
    ("PReLU", {"shared_axes": [1, 2]}, (MAP,)),
    ("Permute", {"dims": (3, 1, 2)}, (MAP,)),
    ("RMSNormalization", {}, (SEQ,)),
    ("ReLU", {"max_value": 6.0}, (SEQ,)),
    ("RepeatVector", {"n": 4}, ((6,),)),
    ("Rescaling", {"scale": 1 / 255, "offset": -1.0}, (MAP,)),
    ("Rescaling", {"scale": [0.1, 0.2, 0.3]}, (MAP,)),
    ("Reshape", {"target_shape": (-1, 4)}, (SEQ,)),
    ("Reshape", {"target_shape": (5, 12)}, (SEQ,)),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "activation": "relu"}, (SEQ,)),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "depth_multiplier": 2}, (MAP,)),
    ("Softmax", {"axis": 1}, (SEQ,)),
    ("UnitNormalization", {}, (SEQ,)),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, (MAP,)),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, (MAP,)),
    ("ZeroPadding1D", {"padding": (1, 2)}, (SEQ,)),
)

_ATTENTION: tuple[Row, ...] = (
    ("AdditiveAttention", {}, ((4, 6), (7, 6))),
    ("AdditiveAttention", {"use_scale": False}, ((4, 6), (7, 6))),
    ("Attention", {}, ((4, 6), (7, 6))),
    ("Attention", {"use_scale": True, "score_mode": "concat"}, ((4, 6), (7, 5), (7, 6))),
    (
        "GroupQueryAttention",
        {"head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2},
        ((4, 6), (7, 6)),
    ),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 5}, ((4, 6), (7, 8))),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 5, "value_dim": 3, "use_bias": False},
        ((4, 6), (7, 8)),
    ),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 5, "output_shape": 9}, ((4, 6), (7, 8), (7, 4))),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 5, "attention_axes": (2,)}, ((3, 4, 6), (3, 4, 6))),
)

_IMAGES: tuple[Row, ...] = (
    *(
        (name, {}, (MAP,))
        for name in (
            "AugMix",
            "AutoContrast",
            "ContrastLimitedAdaptiveHistogramEqualization",
            "RandAugment",
            "RandomColorJitter",
            "RandomElasticTransform",
            "RandomErasing",
            "RandomFlip",
            "RandomGaussianBlur",
            "RandomGrayscale",
            "RandomInvert",
            "RandomPerspective",
            "RandomShear",
            "Solarization",
            "CutMix",
            "MixUp",
        )
    ),
    *(
        (name, {"factor": 0.2}, (MAP,))
        for name in (
            "RandomBrightness",
            "RandomColorDegeneration",
            "RandomContrast",
            "RandomHue",
            "RandomRotation",
            "RandomSaturation",
            "RandomSharpness",
        )
    ),
    ("RandomPosterization", {"factor": 4}, (MAP,)),
    ("RandomTranslation", {"height_factor": 0.1, "width_factor": 0.1}, (MAP,)),
    ("RandomZoom", {"height_factor": 0.1}, (MAP,)),
    ("RandomCrop", {"height": 5, "width": 6}, (MAP,)),
    ("CenterCrop", {"height": 5, "width": 6}, (MAP,)),
    ("Resizing", {"height": 5, "width": 20}, (MAP,)),
    ("MaxNumBoundingBoxes", {"max_number": 5}, ((4, 4),)),
)

_TABLES: tuple[Row, ...] = (
    ("CategoryEncoding", {"num_tokens": 5, "output_mode": "multi_hot"}, ((4,),)),
    ("CategoryEncoding", {"num_tokens": 5, "output_mode": "one_hot"}, ((1,),)),
    ("Discretization", {"bin_boundaries": [0.0, 1.0, 2.0]}, ((4,),)),
    ("Discretization", {"bin_boundaries": [0.0, 1.0, 2.0], "output_mode": "one_hot"}, ((1,),)),
    ("Hashing", {"num_bins": 5}, ((4,),)),
    ("HashedCrossing", {"num_bins": 5}, ((1,), (1,))),
    ("IntegerLookup", {"vocabulary": [1, 2, 3]}, ((4,),)),
    ("StringLookup", {"vocabulary": ["a", "b"]}, ((4,),)),
    ("TextVectorization", {"vocabulary": ["a", "b"], "output_sequence_length": 9}, ((1,),)),
    ("MelSpectrogram", {}, ((16000,),)),
    ("STFTSpectrogram", {"frame_length": 64, "fft_length": 128}, ((1000, 1),)),
    ("STFTSpectrogram", {"mode": "real", "expand_dims": True, "padding": "same"}, ((1000, 1),)),
)

ROWS: tuple[Row, ...] = (
    *_SLIDING,
    *_RECURRENT,
    *_CONV_LSTM,
    *_MERGES,
    *_PLAIN,
    *_ATTENTION,
    *_IMAGES,
    *_TABLES,
)

ELSEWHERE = {
    "Bidirectional": "test_keras_layers.py, wrappers",
    "GRUCell": "test_keras_layers.py, wrappers (RNN)",
    "LSTMCell": "test_keras_layers.py, wrappers (RNN)",
    "Pipeline": "test_keras_layers.py, wrappers",
    "RNN": "test_keras_layers.py, wrappers",
    "SimpleRNNCell": "test_keras_layers.py, wrappers (RNN)",
    "SpectralNormalization": "test_keras_layers.py, wrappers",
    "StackedRNNCells": "test_keras_layers.py, wrappers (RNN)",
    "TimeDistributed": "test_keras_layers.py, wrappers",
    "InputLayer": "every row begins with one",
}
"""Layers that hold another layer and are built by hand."""

NOT_LAYERS = {
    "InputSpec": "describes inputs, is no layer",
    "Equalization": "Keras 3.15 refuses to build a model with it (its output is its input: 'a cycle')",
    "Layer": "the abstract base",
    "Wrapper": "the abstract base of wrappers; does nothing by itself",
    "Lambda": "Python code: Unknown by design, tests/formats/keras",
    "FlaxLayer": "code of another framework: Unknown by design",
    "JaxLayer": "code of another framework: Unknown by design",
    "TFSMLayer": "a SavedModel: Unknown by design",
    "TorchModuleWrapper": "code of another framework: Unknown by design",
}
"""Classes that keras.layers exports and that have no row, with the reason."""
