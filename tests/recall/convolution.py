"""Faults of windows and their grids, in networks of different build, from Keras and from exporters."""


def plain(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


TRUNKS = {
    "keras": """
        input image float32[N,{size},{size},3]
        c0 = Conv<Conv2D conv2d>(image) filters=16 kernel=(3,3) padding=same
        n0 = BatchNormalization(c0)
        h = Relu(n0)
    """,
    "residual": """
        input image float32[N,{size},{size},16]
        c0 = Conv(image) filters=16 kernel=(3,3) padding=same
        r0 = Relu(c0)
        s0 = Add(r0, image)
        h = Swish(s0)
    """,
    "torch": """
        input image float32[N,3,{size},{size}]
        "/0/Conv" = Conv(image) filters=16 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1
        h = LeakyRelu("/0/Conv") alpha=0.01
    """,
    "tf2onnx": """
        input image float32[N,{size},{size},3]
        t0 = Transpose(image) perm=(0,3,1,2)
        c0 = Conv(t0) filters=16 kernel=(3,3) padding=same channel_axis=1
        h = Clip(c0) min=0.0 max=6.0
    """,
}
"""Networks that end in ``h``, a map of 16 channels as large as the image."""


def on_maps(rule, snippet, size, end="g = GlobalAveragePool(z){ca}\ny = Dense(g) units=5\noutput y"):
    """The snippet behind each trunk, ``{ca}`` the channel axis; ``{same1}`` pads of 1 on either side."""
    for name, trunk in TRUNKS.items():
        first = name in ("torch", "tf2onnx")
        text = f"{plain(trunk)}\n{plain(snippet)}\n{plain(end)}"
        text = text.replace("{size}", str(size)).replace("{ca}", " channel_axis=1" if first else "")
        text = text.replace("{other}", " channel_axis=-1" if first else " channel_axis=1")
        yield rule, f"{name} trunk", text.replace("{pad1}", "((1,1),(1,1))" if first else "same")


FAULTS = [
    *on_maps("stride-skips-input", "z = Conv(h) filters=8 kernel=(2,2) strides=(3,3){ca}", 32),
    *on_maps("dead-kernel-taps", "z = Conv(h) filters=8 kernel=(7,7) padding=same{ca}", 3),
    *on_maps(
        "map-of-one-pixel",
        """
        p = MaxPool(h) kernel=(4,4) strides=(4,4){ca}
        a = Conv(p) filters=32 kernel=(3,3) padding={pad1}{ca}
        b = Relu(a)
        c = Conv(b) filters=32 kernel=(3,3) padding={pad1}{ca}
        z = Relu(c)
        """,
        4,
    ),
    *on_maps(
        "sight-beyond-image",
        """
        p = MaxPool(h) kernel=(4,4) strides=(4,4){ca}
        a = Conv(p) filters=32 kernel=(3,3) padding={pad1}{ca}
        q = MaxPool(a) kernel=(2,2) strides=(2,2){ca}
        b = Conv(q) filters=64 kernel=(3,3) padding={pad1}{ca}
        c = Relu(b)
        z = Conv(c) filters=128 kernel=(3,3) padding={pad1}{ca}
        """,
        24,
    ),
    *on_maps(
        "even-kernel-drift",
        """
        a = Conv(h) filters=16 kernel=(4,4) padding=same{ca}
        b = Tanh(a)
        c = Conv(b) filters=16 kernel=(2,2) padding=same{ca}
        z = Relu(c)
        """,
        32,
        "y = Conv(z) filters=1 kernel=(1,1){ca}\noutput y",
    ),
    *on_maps(
        "holes-between-dilations",
        """
        a = Conv(h) filters=16 kernel=(3,3) dilations=(4,4) padding=same{ca}
        b = Relu(a)
        c = Conv(b) filters=16 kernel=(3,3) dilations=(4,4) padding=same{ca}
        d = Relu(c)
        e = Conv(d) filters=16 kernel=(3,3) dilations=(8,8) padding=same{ca}
        z = Relu(e)
        """,
        64,
    ),
    *on_maps(
        "uneven-transposed-overlap",
        "a = ConvTranspose(h) filters=3 kernel=(3,3) strides=(2,2){ca}\nz = Tanh(a)",
        16,
        "output z",
    ),
    *on_maps(
        "mixed-channel-axes",
        "a = Conv(h) filters=8 kernel=(3,3){ca}\nz = MaxPool(a) kernel=(2,2) strides=(2,2){other}",
        32,
    ),
]

SINGLE = [
    (
        "dead-kernel-taps",
        "wavenet on short series",
        """
        input series float32[N,60,4]
        a = Conv(series) filters=16 kernel=(2) padding=causal
        b = Conv(a) filters=16 kernel=(2) dilations=(32) padding=causal
        c = Conv(b) filters=16 kernel=(2) dilations=(64) padding=causal
        output c
        """,
    ),
    (
        "uneven-transposed-overlap",
        "gaps in sound",
        """
        input code float32[N,64,8]
        a = ConvTranspose(code) filters=16 kernel=(3) strides=(4)
        r = Relu(a)
        b = Conv(r) filters=16 kernel=(5)
        output b
        """,
    ),
    (
        "pooled-raw-input",
        "keras",
        """
        input image float32[N,96,96,3]
        s = Rescaling(image) scale=0.00392
        p = AveragePool<AveragePooling2D pool>(s) kernel=(3,3) strides=(3,3)
        c = Conv(p) filters=8 kernel=(3,3)
        output c
        """,
    ),
    (
        "pooled-raw-input",
        "torch",
        """
        input image float32[N,1,128,128]
        "/0/MaxPool" = MaxPool(image) kernel=(2,2) strides=(2,2) channel_axis=1
        c = Conv("/0/MaxPool") filters=8 kernel=(3,3) channel_axis=1
        output c
        """,
    ),
    (
        "pooled-raw-input",
        "tf2onnx",
        """
        input image float32[N,64,64,3]
        t = Transpose(image) perm=(0,3,1,2)
        p = MaxPool(t) kernel=(4,4) strides=(4,4) channel_axis=1
        c = Conv(p) filters=8 kernel=(3,3) channel_axis=1
        output c
        """,
    ),
    (
        "pooled-raw-input",
        "series",
        """
        input series float32[N,400,6]
        p = MaxPool(series) kernel=(4) strides=(4)
        c = Conv(p) filters=8 kernel=(3)
        output c
        """,
    ),
]

FAULTS += [(rule, name, plain(text)) for rule, name, text in SINGLE]


def keras_small_images():
    import keras

    conv, pool = keras.layers.Conv2D, keras.layers.MaxPooling2D
    layers = [keras.layers.Input((32, 32, 3))]
    for filters in (8, 16, 32, 32, 32):
        layers += [conv(filters, 3, padding="same", activation="relu") for _ in range(2)]
        layers += [pool()]
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(10)])


def keras_formats():
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((3, 32, 32)),
            keras.layers.Conv2D(8, 3, data_format="channels_first", activation="relu"),
            keras.layers.MaxPooling2D(data_format="channels_last"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )


def keras_generator():
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((7, 7, 64)),
            keras.layers.Conv2DTranspose(32, 5, 2, padding="same", activation="relu"),
            keras.layers.Conv2DTranspose(1, 5, 2, padding="same", activation="tanh"),
        ]
    )


FAULTS += [
    ("sight-beyond-image", "keras on 32 pixels", keras_small_images),
    ("mixed-channel-axes", "keras", keras_formats),
    ("uneven-transposed-overlap", "keras", keras_generator),
]

MISSED = []
