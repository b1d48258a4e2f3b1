"""What is taste, planted in networks of different build."""


def plain(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


BODIES = {
    "keras": """
        input image float32[N,32,32,3]
        c0 = Conv<Conv2D conv2d>(image) filters=32 kernel=(3,3) padding=same kernel_init=he_normal
        n0 = BatchNormalization(c0)
        h = Relu(n0)
    """,
    "torch": """
        input image float32[N,3,64,64]
        "/0/Conv" = Conv(image) filters=32 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1
        h = LeakyRelu("/0/Conv") alpha=0.01
    """,
    "tf2onnx": """
        input image float32[N,24,24,3]
        t0 = Transpose(image) perm=(0,3,1,2)
        c0 = Conv(t0) filters=32 kernel=(5,5) strides=(2,2) channel_axis=1
        h = HardSwish(c0)
    """,
}
"""Networks that end in ``h``, a map of 32 channels."""

TABLES = {
    "tabular": "input x float32[N,20]\nd0 = Dense(x) units=64\nh = Gelu(d0)",
    "series": "input x float32[N,30,4]\nl0 = LSTM(x) units=64\nh = Tanh(l0)",
    "wide": "input x float32[N,500]\nn0 = BatchNormalization(x)\nd0 = Dense(n0) units=64\nh = Swish(d0)",
}
"""Networks that end in ``h``, a vector of 64 features."""

DECODERS = {
    "lstm": "l = LSTM(e) units=48\n",
    "gru steps": "l = GRU(e) units=48 return_sequences=true\n",
    "attention": "l = MultiHeadAttention(e, e) num_heads=4 key_dim=12 value_dim=12 causal=true\n",
}

NOISES = ("Dropout(h) rate=0.4", "GaussianNoise(h) stddev=0.2", "AlphaDropout(h) rate=0.1")
"""What acts only in training, on a vector ``h``."""

LINEAR = (
    "d = Dense(h) units=32 use_bias=false",
    "r = Reshape(h) shape=(-1,8,8)\nd = Conv(r) filters=6 kernel=(3) use_bias=false",
    "r = Reshape(h) shape=(-1,4,4,4)\nd = ConvTranspose(r) filters=6 kernel=(3,3) use_bias=false",
)
"""Layers without a bias, ``d``, on a vector ``h`` of 64 features."""

SERIES = {
    "spectra": "input x float32[N,200,1]\nc = Conv(x) filters=8 kernel=(7)\nr = Relu(c)\n"
    "z = MaxPool(r) kernel=(2) strides=(2)",
    "sensors": "input x float32[N,6,80]\nc = Conv(x) filters=16 kernel=(5) channel_axis=1\nz = Elu(c)",
    "stacked": "input x float32[N,64,3]\nc = Conv(x) filters=8 kernel=(3) padding=same\nr = Relu(c)\n"
    "e = Conv(r) filters=12 kernel=(3) strides=(2)\nn = BatchNormalization(e)\nz = Gelu(n)",
}
"""Convolutions over sequences of fixed length, which end in ``z``."""


def on_maps(rule, snippet):
    for name, body in BODIES.items():
        text = f"{plain(body)}\n{plain(snippet)}\noutput z"
        yield rule, name, text.replace("{ca}", "" if name == "keras" else " channel_axis=1")


def on_tables(rule, snippet, ending="y = Dense(z) units=5\noutput y"):
    for name, body in TABLES.items():
        yield rule, name, f"{body}\n{plain(snippet)}\n{plain(ending)}"


FAULTS = [
    *on_tables(
        "narrow-layer-before-classes",
        "a = Dense(h) units=4\nz = Relu(a)",
        "y = Dense(z) units=50\ns = Softmax(y)\noutput s",
    ),
    *on_maps(
        "elementwise-dropout-on-map",
        "a = Conv(h) filters=16 kernel=(1,1){ca}\nb = Dropout(a) rate=0.3\n"
        "z = Conv(b) filters=8 kernel=(3,3){ca}",
    ),
    *on_tables("strong-weight-penalty", "z = Dense(h) units=32 kernel_l2=0.3"),
    *on_maps(
        "depthwise-never-mixed",
        """
        a = Conv(h) filters=32 kernel=(3,3) groups=32{ca}
        b = Relu(a)
        z = Conv(b) filters=32 kernel=(3,3) groups=32{ca}
        """,
    ),
    *(
        (
            "untied-embeddings",
            name,
            f"input words int64[N,25]\ne = Embedding(words) input_dim=8000 output_dim=48\n{layer}"
            "y = Dense(l) units=8000\noutput y",
        )
        for name, layer in DECODERS.items()
    ),
    *(
        (
            "unrolled-long-sequence",
            op,
            f"input x float32[N,120,4]\nl = {op}(x) units=16 unroll=true\ny = Dense(l) units=2\noutput y",
        )
        for op in ("LSTM", "GRU", "RNN")
    ),
    *on_tables("relu-without-he-start", "a = Dense(h) units=32\nz = Relu(a)"),
    *on_maps("large-kernel-cost", "z = Conv(h) filters=32 kernel=(9,9) padding=same{ca}"),
    *(
        (
            "legacy-format",
            name,
            f"model m format=keras-h5\n{body}\noutput h",
        )
        for name, body in TABLES.items()
    ),
    *(
        (
            "layer-only-for-training",
            name,
            f"model m format=keras\n{body}\no = {noise}\ny = Dense(o) units=5\noutput y",
        )
        for (name, body), noise in zip(TABLES.items(), NOISES, strict=True)
    ),
    *(
        (
            "length-fixed-by-flatten",
            name,
            f"{body}\nf = Flatten(z)\nd = Dense(f) units=24\na = Relu(d)\ny = Dense(a) units=3\noutput y",
        )
        for name, body in SERIES.items()
    ),
    *(
        (
            "norm-kept-for-training",
            name,
            f"model m format=keras\n{body}\n{pair}\nn = BatchNormalization(d)\ny = Relu(n)\noutput y",
        )
        for (name, body), pair in zip(TABLES.items(), LINEAR, strict=True)
    ),
]

MISSED = []
