"""Faults of layers: nonlinearities, normalization, dropout and starts, in networks of different build."""

VECTORS = {
    "tabular": """
        input x float32[N,40]
        d0 = Dense<Dense dense>(x) units=96
        h = Relu(d0)
    """,
    "torch head": """
        input image float32[N,3,32,32]
        c0 = Conv(image) filters=96 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1
        r0 = Relu(c0)
        p0 = GlobalAveragePool(r0) channel_axis=1 keepdims=true
        f0 = Flatten(p0)
        d0 = Dense(f0) units=96 kernel_transposed=true
        h = LeakyRelu(d0) alpha=0.01
    """,
    "words": """
        input words int64[N,30]
        e0 = Embedding(words) input_dim=500 output_dim=24
        l0 = LSTM(e0) units=96
        h = Tanh(l0)
    """,
    "tf2onnx": """
        input series float32[N,50,6]
        t0 = Transpose(series) perm=(0,2,1)
        c0 = Conv(t0) filters=96 kernel=(5) channel_axis=1
        r0 = Relu(c0)
        p0 = ReduceMax(r0) axes=(2) keepdims=false
        h = Swish(p0)
    """,
}
"""Networks that end in ``h``, a vector of 96 features behind a nonlinearity."""

MAPS = {
    "vgg": """
        input image float32[N,32,32,3]
        c0 = Conv<Conv2D conv2d>(image) filters=32 kernel=(3,3) padding=same
        r0 = Relu(c0)
        h = MaxPool(r0) kernel=(2,2) strides=(2,2)
    """,
    "residual": """
        input image float32[N,24,24,1]
        c0 = Conv(image) filters=32 kernel=(5,5) padding=same use_bias=false
        n0 = BatchNormalization(c0)
        a0 = Relu(n0)
        c1 = Conv(a0) filters=32 kernel=(3,3) padding=same
        s0 = Add(c1, a0)
        h = Elu(s0)
    """,
    "torch": """
        input image float32[N,1,48,48]
        c0 = Conv(image) filters=32 kernel=(3,3) strides=(2,2) channel_axis=1
        h = Relu(c0)
    """,
    "tf2onnx": """
        input image float32[N,64,64,3]
        t0 = Transpose(image) perm=(0,3,1,2)
        c0 = Conv(t0) filters=32 kernel=(4,4) strides=(4,4) channel_axis=1
        h = HardSwish(c0)
    """,
}
"""Networks that end in ``h``, a map of 32 channels behind a nonlinearity."""

ENDS = {
    "last": "g = GlobalAveragePool(z)\ny = Dense(g) units=5\noutput y",
    "first": "g = GlobalAveragePool(z) channel_axis=1\ny = Dense(g) units=5\noutput y",
}


def plain(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


def on_vectors(rule, snippet, *names):
    """The snippet behind each vector; it ends in ``z``."""
    for name in names or VECTORS:
        text = f"{plain(VECTORS[name])}\n{plain(snippet)}\ny = Dense(z) units=5\noutput y"
        yield rule, name, text


def on_maps(rule, snippet, *names):
    """The snippet behind each map, with ``{ca}`` for the channel axis; it ends in ``z``."""
    for name in names or MAPS:
        first = name in ("torch", "tf2onnx")
        filled = plain(snippet).replace("{ca}", " channel_axis=1" if first else "")
        filled = filled.replace("{other}", " channel_axis=-1" if first else " channel_axis=1")
        yield rule, f"{name} map", f"{plain(MAPS[name])}\n{filled}\n{ENDS['first' if first else 'last']}"


KERAS = ("tabular", "words")

FAULTS = [
    *on_vectors("bias-before-norm", "a = Dense(h) units=64\nb = BatchNormalization(a)\nz = Relu(b)"),
    *on_maps(
        "bias-before-norm",
        "a = Conv(h) filters=16 kernel=(3,3){ca}\nb = InstanceNormalization(a){ca}\nz = Relu(b)",
        "tf2onnx",
        "torch",
    ),
    *on_vectors("dropout-before-batchnorm", "a = Dropout(h) rate=0.4\nz = BatchNormalization(a)"),
    *on_maps(
        "dropout-before-batchnorm",
        "a = SpatialDropout(h) rate=0.1{ca}\nb = Relu(a)\nz = BatchNormalization(b){ca}",
    ),
    *on_vectors("activation-twice", "a = Dense(h) units=32\nb = Relu(a)\nz = Tanh(b)"),
    *on_maps("activation-twice", "a = Conv(h) filters=8 kernel=(1,1){ca}\nb = Relu(a)\nz = Sigmoid(b)"),
    *on_vectors("mergeable-linear-pair", "a = Dense(h) units=64\nb = Dense(a) units=32\nz = Relu(b)"),
    *on_maps(
        "mergeable-linear-pair",
        "a = Conv(h) filters=64 kernel=(3,3){ca}\nb = Conv(a) filters=16 kernel=(1,1){ca}\nz = Relu(b)",
    ),
    *on_vectors(
        "no-activation-between-layers",
        "a = Dense(h) units=64\nn = BatchNormalization(a)\nb = Dense(n) units=48\nz = Relu(b)",
    ),
    *on_maps(
        "no-activation-between-layers",
        "a = Conv(h) filters=48 kernel=(3,3){ca}\nb = Conv(a) filters=64 kernel=(3,3){ca}\nz = Relu(b)",
    ),
    *on_vectors("extreme-dropout", "a = Dropout(h) rate=0.85\nz = Relu(a)"),
    *on_maps("extreme-dropout", "z = SpatialDropout(h) rate=0.9{ca}", "vgg", "torch"),
    *on_vectors(
        "sigmoid-stack",
        """
        a = Dense(h) units=64
        b = Sigmoid(a)
        c = Dense(b) units=64
        d = Sigmoid(c)
        e = Dropout(d) rate=0.1
        f = Dense(e) units=64
        z = Sigmoid(f)
        """,
    ),
    *on_maps(
        "sigmoid-stack",
        """
        a = Conv(h) filters=8 kernel=(3,3){ca}
        b = Sigmoid(a)
        c = Conv(b) filters=8 kernel=(3,3) padding=same{ca}
        d = HardSigmoid(c)
        e = Conv(d) filters=8 kernel=(1,1){ca}
        s = Sigmoid(e)
        z = Conv(s) filters=8 kernel=(1,1){ca}
        """,
        "vgg",
        "torch",
    ),
    *on_vectors("selu-with-plain-dropout", "a = Dense(h) units=64\nb = Selu(a)\nz = Dropout(b) rate=0.2"),
    *on_maps("selu-with-plain-dropout", "b = Selu(h)\nz = GaussianDropout(b) rate=0.2", "vgg", "torch"),
    *on_vectors("selu-with-he-start", "a = Dense(h) units=64 kernel_init=he_uniform\nz = Selu(a)", *KERAS),
    *on_maps(
        "selu-with-he-start",
        "a = Conv(h) filters=8 kernel=(3,3) kernel_init=he_normal\nz = Selu(a)",
        "vgg",
        "residual",
    ),
    *on_vectors("constant-kernel-start", "a = Dense(h) units=64 kernel_init=zeros\nz = Relu(a)", *KERAS),
    *on_maps(
        "constant-kernel-start",
        """
        a = Conv(h) filters=8 kernel=(3,3) kernel_init=constant
        b = Tanh(a)
        z = Conv(b) filters=8 kernel=(3,3) kernel_init=ones
        """,
        "vgg",
        "residual",
    ),
    *on_maps(
        "norm-over-wrong-axis", "a = Conv(h) filters=16 kernel=(3,3){ca}\nz = BatchNormalization(a){other}"
    ),
    *on_maps(
        "norm-twice",
        "a = Conv(h) filters=8 kernel=(3,3){ca}\nb = BatchNormalization(a){ca}\n"
        "z = BatchNormalization(b){ca}",
    ),
    *on_vectors("norm-twice", "a = LayerNormalization(h)\nz = LayerNormalization(a)"),
]

WHOLE = {
    "logistic in disguise": """
        input x float32[N,30]
        a = Dense(x) units=64
        b = Dense(a) units=32
        c = Dense(b) units=1
        y = Sigmoid(c)
        output y
    """,
    "torch regressor": """
        input x float32[N,12]
        "/0/Gemm" = Dense(x) units=50 kernel_transposed=true
        "/1/Gemm" = Dense("/0/Gemm") units=1 kernel_transposed=true
        output "/1/Gemm"
    """,
    "tf2onnx convolutions": """
        input image float32[N,28,28,1]
        t = Transpose(image) perm=(0,3,1,2)
        c = Conv(t) filters=16 kernel=(3,3) channel_axis=1
        p = AveragePool(c) kernel=(2,2) strides=(2,2) channel_axis=1
        d = Conv(p) filters=32 kernel=(3,3) channel_axis=1
        f = Flatten(d)
        y = Dense(f) units=10
        s = Softmax(y)
        output s
    """,
    "dropout and norm between": """
        input x float32[N,30]
        a = Dense(x) units=64
        n = BatchNormalization(a)
        o = Dropout(n) rate=0.3
        b = Dense(o) units=64
        y = Dense(b) units=3
        output y
    """,
}

FAULTS += [("no-nonlinearity", name, plain(text)) for name, text in WHOLE.items()]


def keras_linear():
    import keras

    layers = [keras.layers.Input((20,)), *(keras.layers.Dense(32) for _ in range(3)), keras.layers.Dense(4)]
    return keras.Sequential(layers)


def keras_constant():
    """With weights that are no longer as they began; else constant-kernel speaks of them."""
    import keras

    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.layers.Input((20,)),
            dense(32, "tanh", kernel_initializer="zeros"),
            dense(32, "tanh", kernel_initializer=keras.initializers.Constant(0.1)),
            dense(2),
        ]
    )
    for layer in model.layers:
        layer.kernel.assign(keras.random.normal(layer.kernel.shape, seed=1))
    return model


def keras_selu():
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((20,)),
            keras.layers.Dense(32, "selu", kernel_initializer=keras.initializers.VarianceScaling(2.0)),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2),
        ]
    )


def keras_axis():
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.BatchNormalization(axis=1),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )


FAULTS += [
    ("no-nonlinearity", "keras", keras_linear),
    ("constant-kernel-start", "keras", keras_constant),
    ("selu-with-he-start", "keras", keras_selu),
    ("selu-with-plain-dropout", "keras", keras_selu),
    ("norm-over-wrong-axis", "keras", keras_axis),
]

SQUEEZED = "s = Softmax(d)\ne = Dense(s) units=10\no = Softmax(e)\noutput o"

SCALED = {
    "pipeline": """
        input image float32[N,96,96,3]
        a = Rescaling(image) scale=0.00392156862745098
        f = RandomFlip(a)
        b = Rescaling(f) scale=0.00392156862745098
        c = Conv(b) filters=16 kernel=(3,3) strides=(2,2)
        output c
    """,
    "base with its own": """
        input image float32[N,224,224,3]
        a = Rescaling(image) scale=0.00392156862745098
        b = Rescaling<Rescaling rescaling>(a) scale=0.00784313725490196 offset=-1.0
        c = Conv(b) filters=16 kernel=(3,3) strides=(2,2) padding=same
        h = HardSwish(c)
        output h
    """,
    "standardized": """
        input spectrum float32[N,128,64,1]
        a = Normalization(spectrum)
        b = Rescaling(a) scale=0.00392156862745098
        c = Conv(b) filters=8 kernel=(5,5)
        output c
    """,
}

ALONE = {
    "one unit": """
        input x float32[N,20]
        d = Dense(x) units=1
        n = LayerNormalization(d)
        e = Dense(n) units=8
        output e
    """,
    "squeeze and excite": """
        input image float32[N,3,64,64]
        c = Conv(image) filters=32 kernel=(3,3) channel_axis=1
        p = GlobalAveragePool(c) channel_axis=1 keepdims=true
        n = InstanceNormalization(p)
        s = Sigmoid(n)
        m = Mul(c, s)
        output m
    """,
    "groups of one": """
        input image float32[N,32,32,3]
        c = Conv(image) filters=16 kernel=(3,3)
        p = GlobalAveragePool(c) keepdims=true
        n = GroupNormalization(p) groups=16
        f = Flatten(n)
        d = Dense(f) units=4
        output d
    """,
}

FAULTS += [
    *(
        ("softmax-between-layers", name, plain(text + f"d = Dense(h) units=32\n{SQUEEZED}"))
        for name, text in VECTORS.items()
    ),
    *(("rescaled-twice", name, plain(text)) for name, text in SCALED.items()),
    *(("norm-of-one-number", name, plain(text)) for name, text in ALONE.items()),
]

MISSED = []
