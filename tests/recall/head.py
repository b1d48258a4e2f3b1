"""Faults of heads, image axes, windows and reshapes, each planted in networks of different build."""

VGG = """
input image float32[N,{size},{size},3]
c1 = Conv<Conv2D conv2d>(image) filters=32 kernel=(3,3) padding=same
r1 = Relu(c1)
p1 = MaxPool(r1) kernel=(2,2) strides=(2,2)
c2 = Conv<Conv2D conv2d_1>(p1) filters=64 kernel=(3,3) padding=same
r2 = Relu(c2)
h = MaxPool(r2) kernel=(2,2) strides=(2,2)
"""

RESIDUAL = """
input image float32[N,{size},{size},1]
c0 = Conv(image) filters=32 kernel=(3,3) strides=(2,2) padding=same use_bias=false
n0 = BatchNormalization(c0)
r0 = Swish(n0)
c1 = Conv(r0) filters=32 kernel=(3,3) padding=same
r1 = Swish(c1)
c2 = Conv(r1) filters=32 kernel=(3,3) padding=same
s = Add(r0, c2)
h = LeakyRelu(s)
"""

TORCH = """
input image float32[N,3,{size},{size}]
"/0/Conv" = Conv(image) filters=32 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1
"/1/Relu" = Relu("/0/Conv")
"/2/MaxPool" = MaxPool("/1/Relu") kernel=(2,2) strides=(2,2) channel_axis=1
"/3/Conv" = Conv("/2/MaxPool") filters=64 kernel=(3,3) channel_axis=1
h = Relu("/3/Conv")
"""

TF2ONNX = """
input image float32[N,{size},{size},3]
t = Transpose(image) perm=(0,3,1,2)
c = Conv(t) filters=48 kernel=(5,5) strides=(2,2) channel_axis=1
h = Relu(c)
"""


def fault(network, head, *settings, size=64, file="format=keras"):
    """A network for square images with a head, as read from a file with these compile settings."""
    return "\n".join((f"model m {file}", *settings, network.format(size=size).strip(), head.strip()))


ONNX = "format=onnx opset=17"
PLACES = "f = GlobalAveragePool(h)\n"
FRONT_PLACES = "f = GlobalAveragePool(h) channel_axis=1\n"
SCE = "loss sparse_categorical_crossentropy"


def swapped_digits():
    """Digits as 1×28×28 under channels_last."""
    import keras

    return keras.Sequential(
        [
            keras.Input((1, 28, 28)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def unflattened():
    """A classifier whose Flatten was forgotten."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def one_step():
    """Twelve past values, fed as one step of twelve features."""
    import keras

    return keras.Sequential([keras.Input((1, 12)), keras.layers.LSTM(16), keras.layers.Dense(1)])


FAULTS = [
    (
        "flatten-into-large-dense",
        "vgg",
        fault(
            VGG,
            "f = Flatten(h)\nd = Dense(f) units=512\na = Relu(d)\ne = Dense(a) units=5\n"
            "o = Softmax(e)\noutput o",
            size=128,
        ),
    ),
    (
        "flatten-into-large-dense",
        "torch",
        fault(
            TORCH,
            "f = Flatten(h)\nd = Dense(f) units=128\na = Relu(d)\ne = Dense(a) units=5\noutput e",
            file=ONNX,
        ),
    ),
    (
        "flatten-into-large-dense",
        "tf2onnx",
        fault(
            TF2ONNX,
            "b = Transpose(h) perm=(0,2,3,1)\nf = Flatten(b)\nd = Dense(f) units=64\na = Relu(d)\n"
            "e = Dense(a) units=5\no = Softmax(e)\noutput o",
            file=ONNX,
        ),
    ),
    (
        "flatten-into-large-dense",
        "norm between",
        fault(
            RESIDUAL,
            "f = Flatten(h)\nn = BatchNormalization(f)\nq = Dropout(n) rate=0.5\n"
            "d = Dense(q) units=256\na = Relu(d)\ne = Dense(a) units=3\no = Softmax(e)\noutput o",
        ),
    ),
    ("input-size-fixed-by-flatten", "vgg", fault(VGG, "f = Flatten(h)\nd = Dense(f) units=5\noutput d")),
    (
        "input-size-fixed-by-flatten",
        "residual",
        fault(RESIDUAL, "f = Flatten(h)\nd = Dense(f) units=5\noutput d"),
    ),
    (
        "input-size-fixed-by-flatten",
        "torch",
        fault(TORCH, "f = Flatten(h)\nd = Dense(f) units=5\noutput d", file=ONNX),
    ),
    (
        "flatten-after-global-pool",
        "vgg",
        fault(VGG, PLACES + "g = Flatten(f)\nd = Dense(g) units=5\noutput d"),
    ),
    (
        "flatten-after-global-pool",
        "norm between",
        fault(RESIDUAL, PLACES + "n = BatchNormalization(f)\ng = Flatten(n)\nd = Dense(g) units=5\noutput d"),
    ),
    (
        "flatten-after-global-pool",
        "torch mean",
        fault(TORCH, FRONT_PLACES + "g = Flatten(f)\nd = Dense(g) units=5\noutput d", file=ONNX),
    ),
    (
        "full-map-pool",
        "vgg",
        fault(
            VGG,
            "f = AveragePool(h) kernel=(16,16) strides=(16,16)\ng = Flatten(f)\n"
            "d = Dense(g) units=5\noutput d",
        ),
    ),
    (
        "full-map-pool",
        "residual",
        fault(
            RESIDUAL,
            "f = MaxPool(h) kernel=(32,32) strides=(32,32)\nq = Dropout(f) rate=0.2\n"
            "g = Reshape(q) shape=(0,32)\nd = Dense(g) units=5\noutput d",
        ),
    ),
    (
        "full-map-pool",
        "torch",
        fault(
            TORCH,
            "f = AveragePool(h) kernel=(30,30) strides=(30,30) channel_axis=1\ng = Flatten(f)\n"
            "d = Dense(g) units=5\noutput d",
            file=ONNX,
        ),
    ),
    (
        "oversized-dense-after-pool",
        "vgg",
        fault(
            VGG,
            PLACES + "d = Dense(f) units=1024\na = Relu(d)\nd2 = Dense(a) units=1024\nb = Relu(d2)\n"
            "e = Dense(b) units=5\no = Softmax(e)\noutput o",
        ),
    ),
    (
        "oversized-dense-after-pool",
        "torch",
        fault(
            TORCH,
            FRONT_PLACES + "d = Dense(f) units=2048\na = Relu(d)\nd2 = Dense(a) units=1024\nb = Relu(d2)\n"
            "e = Dense(b) units=7\no = Softmax(e)\noutput o",
            file=ONNX,
        ),
    ),
    (
        "oversized-dense-after-pool",
        "dropout between",
        fault(
            RESIDUAL,
            PLACES
            + "d = Dense(f) units=4096\na = Relu(d)\nq = Dropout(a) rate=0.5\nd2 = Dense(q) units=512\n"
            "b = Relu(d2)\ne = Dense(b) units=2\noutput e",
            SCE,
        ),
    ),
    (
        "short-sighted-global-pool",
        "vgg",
        fault(VGG, PLACES + "d = Dense(f) units=5\no = Softmax(d)\noutput o", size=224),
    ),
    (
        "short-sighted-global-pool",
        "residual",
        fault(RESIDUAL, PLACES + "d = Dense(f) units=5\noutput d", size=96),
    ),
    (
        "short-sighted-global-pool",
        "torch",
        fault(TORCH, FRONT_PLACES + "d = Dense(f) units=5\noutput d", file=ONNX),
    ),
    ("pooling-before-coordinates", "vgg boxes", fault(VGG, PLACES + "bbox = Dense(f) units=4\noutput bbox")),
    (
        "pooling-before-coordinates",
        "loss only",
        fault(
            RESIDUAL,
            PLACES + "d = Dense(f) units=64\na = Relu(d)\nq = Dense(a) units=10\noutput q",
            "loss huber",
        ),
    ),
    (
        "pooling-before-coordinates",
        "torch key points",
        fault(
            TORCH, FRONT_PLACES + "d = Dense(f) units=34\nkeypoints = Sigmoid(d)\noutput keypoints", file=ONNX
        ),
    ),
    (
        "pooling-before-coordinates",
        "two heads",
        fault(
            VGG,
            PLACES + "d = Dense(f) units=5\no = Softmax(d)\nboxCoords = Dense(f) units=4\noutput o boxCoords",
            SCE + " @0",
            "loss mean_squared_error @1",
        ),
    ),
    (
        "large-map-into-dense",
        "vgg yes or no",
        fault(VGG, "f = Flatten(h)\nd = Dense(f) units=1\no = Sigmoid(d)\noutput o", size=160),
    ),
    (
        "large-map-into-dense",
        "torch",
        fault(TORCH, "f = Flatten(h)\nd = Dense(f) units=2\no = Softmax(d)\noutput o", file=ONNX, size=72),
    ),
    (
        "large-map-into-dense",
        "with a loss",
        fault(
            RESIDUAL,
            "f = Flatten(h)\nd = Dense(f) units=1\noutput d",
            "loss binary_crossentropy from_logits=true",
            size=112,
        ),
    ),
    (
        "flatten-sequence-into-dense",
        "convolution",
        fault(
            "input x float32[N,{size},9]",
            "c = Conv(x) filters=64 kernel=(5)\nr = Relu(c)\nf = Flatten(r)\nd = Dense(f) units=128\n"
            "a = Relu(d)\ne = Dense(a) units=6\noutput e",
        ),
    ),
    (
        "flatten-sequence-into-dense",
        "recurrent",
        fault(
            "input tokens int32[N,{size}]",
            "e = Embedding(tokens) input_dim=50 output_dim=16\n"
            "l = GRU(e) units=64 return_sequences=true\nn = LayerNormalization(l)\nf = Flatten(n)\n"
            "d = Dense(f) units=128\na = Relu(d)\ny = Dense(a) units=2\noutput y",
        ),
    ),
    (
        "flatten-sequence-into-dense",
        "attention",
        fault(
            "input x float32[N,{size},32]",
            "m = MultiHeadAttention(x, x) num_heads=4 key_dim=8\ns = Add(x, m)\n"
            "n = LayerNormalization(s)\nf = Flatten(n)\nd = Dense(f) units=256\na = Relu(d)\n"
            "y = Dense(a) units=2\noutput y",
        ),
    ),
    (
        "flatten-sequence-into-dense",
        "torch",
        fault(
            "input x float32[N,6,{size}]",
            "c = Conv(x) filters=64 kernel=(3) padding=((1,1)) channel_axis=1\nr = Relu(c)\n"
            "f = Flatten(r)\nd = Dense(f) units=128\noutput d",
            file=ONNX,
        ),
    ),
    (
        "class-head-on-map",
        "vgg",
        fault(VGG, "c = Conv(h) filters=8 kernel=(3,3)\nd = Dense(c) units=5\no = Softmax(d)\noutput o", SCE),
    ),
    (
        "class-head-on-map",
        "numbers",
        fault(
            "input image float32[N,{size},{size},1]",
            "c = Conv(image) filters=8 kernel=(5,5)\nr = Relu(c)\nd = Dense(r) units=1\noutput d",
            "loss mean_squared_error",
        ),
    ),
    (
        "class-head-on-map",
        "signal",
        fault(
            "input x float32[N,{size},9]",
            "c = Conv(x) filters=16 kernel=(3)\np = MaxPool(c) kernel=(2) strides=(2)\n"
            "d = Dense(p) units=6\no = Softmax(d)\noutput o",
            "loss categorical_crossentropy",
        ),
    ),
    ("class-head-on-map", "keras", unflattened),
    (
        "image-axes-swapped",
        "digits",
        fault(
            "input image float32[N,1,{size},{size}]",
            "c = Conv(image) filters=8 kernel=(3,3) padding=same\nf = Flatten(c)\n"
            "d = Dense(f) units=10\noutput d",
            size=28,
        ),
    ),
    (
        "image-axes-swapped",
        "colours",
        fault(
            "input image float32[N,3,{size},{size}]",
            "n = Rescaling(image) scale=0.00392\nc = Conv(n) filters=8 kernel=(3,3)\nf = Flatten(c)\n"
            "d = Dense(f) units=10\noutput d",
            size=224,
        ),
    ),
    (
        "image-axes-swapped",
        "tf2onnx",
        fault(
            "input image float32[N,3,{size},{size}]",
            "t = Transpose(image) perm=(0,3,1,2)\nc = Conv(t) filters=8 kernel=(3,3) channel_axis=1\n"
            "output c",
            file=ONNX,
        ),
    ),
    (
        "image-axes-swapped",
        "torch",
        fault(
            "input image float32[1,{size},{size},3]",
            "c = Conv(image) filters=8 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1\n"
            "r = Relu(c)\noutput r",
            file=ONNX,
        ),
    ),
    (
        "image-axes-swapped",
        "oblong",
        fault(
            "input image float32[N,1,240,320]",
            "n = BatchNormalization(image)\nc = Conv(n) filters=8 kernel=(5,5) padding=same\noutput c",
        ),
    ),
    ("image-axes-swapped", "keras", swapped_digits),
    (
        "window-larger-than-map",
        "convolution",
        fault(VGG, "c = Conv(h) filters=8 kernel=(7,7)\noutput c", size=16),
    ),
    (
        "window-larger-than-map",
        "torch pool",
        fault(TORCH, "p = AveragePool(h) kernel=(7,7) channel_axis=1\noutput p", size=12, file=ONNX),
    ),
    (
        "window-larger-than-map",
        "holes",
        fault(
            TORCH,
            "p = Conv(h) filters=4 kernel=(3,3) dilations=(8,8) padding=((2,2),(2,2)) channel_axis=1\n"
            "output p",
            size=24,
            file=ONNX,
        ),
    ),
    (
        "window-larger-than-map",
        "signal",
        fault("input x float32[N,4,3]", "c = Conv(x) filters=8 kernel=(5)\noutput c", file=ONNX),
    ),
    (
        "pool-larger-than-map",
        "vgg",
        fault(
            VGG,
            "p = MaxPool(h) kernel=(2,2) strides=(2,2) padding=same\n"
            "c = Conv(p) filters=8 kernel=(1,1)\n"
            "q = MaxPool(c) kernel=(2,2) strides=(2,2) padding=same\noutput q",
            size=8,
        ),
    ),
    (
        "pool-larger-than-map",
        "torch",
        fault(
            "input x float32[N,8,1,1]",
            "p = MaxPool(x) kernel=(3,3) strides=(2,2) padding=((1,1),(1,1)) channel_axis=1\noutput p",
            file=ONNX,
        ),
    ),
    (
        "pool-larger-than-map",
        "signal",
        fault(
            "input x float32[N,1,8]",
            "c = Conv(x) filters=8 kernel=(1)\n"
            "p = AveragePool(c) kernel=(2) strides=(2) padding=same\noutput p",
        ),
    ),
    (
        "pool-larger-than-map",
        "wide window",
        fault(VGG, "p = AveragePool(h) kernel=(7,7) padding=same\noutput p", size=16),
    ),
    (
        "samples-torn-by-reshape",
        "torch view",
        fault(TORCH, "v = Reshape(h) shape=(-1,1024)\nd = Dense(v) units=10\noutput d", size=24, file=ONNX),
    ),
    (
        "samples-torn-by-reshape",
        "keras ops",
        fault(VGG, "v = Reshape(h) shape=(-1,512)\nd = Dense(v) units=10\no = Softmax(d)\noutput o", size=24),
    ),
    (
        "samples-torn-by-reshape",
        "two layers on",
        fault(
            TF2ONNX,
            "v = Reshape(h) shape=(-1,2500)\nd = Dense(v) units=10\nr = Relu(d)\n"
            "e = Dense(r) units=3\ns = Softmax(e)\noutput s",
            size=24,
            file=ONNX,
        ),
    ),
    ("recurrence-over-one-step", "keras", one_step),
    (
        "recurrence-over-one-step",
        "stacked",
        fault(
            "input x float32[N,1,{size}]",
            "l = LSTM(x) units=32 return_sequences=true\nq = Dropout(l) rate=0.2\n"
            "m = LSTM(q) units=16\nd = Dense(m) units=1\noutput d",
        ),
    ),
    (
        "recurrence-over-one-step",
        "onnx",
        fault(
            "input x float32[1,N,{size}]",
            "y, yh = GRU(x) units=8 time_axis=0 merge_mode=stack return_sequences=true\n"
            "s = Squeeze(y) axes=(1)\noutput s",
            file=ONNX,
        ),
    ),
    (
        "recurrence-over-one-step",
        "two ways",
        fault(
            "input x float32[N,1,{size}]",
            "l = GRU(x) units=32 direction=bidirectional\nd = Dense(l) units=3\noutput d",
        ),
    ),
]
"""(rule, name, model): the text of a model as a reader gives it, or a function that makes one with Keras."""

MISSED: set[tuple[str, str]] = set()
"""What is known not to be found, as (rule, name)."""
