"""Faults of losses, metrics and outputs, each planted in networks of different build."""

MLP = """
input x float32[N,20]
h1 = Dense<Dense dense>(x) units=64
a1 = Relu(h1)
h2 = Dense<Dense dense_1>(a1) units=32
h = Relu(h2)
"""

CNN = """
input image float32[N,32,32,3]
c1 = Conv<Conv2D conv2d>(image) filters=16 kernel=(3,3) padding=same use_bias=false
b1 = BatchNormalization(c1)
r1 = Relu(b1)
p1 = MaxPool(r1) kernel=(2,2) strides=(2,2)
c2 = Conv<Conv2D conv2d_1>(p1) filters=32 kernel=(3,3) padding=same
r2 = Relu(c2)
g = GlobalAveragePool(r2)
h = Dropout(g) rate=0.3
"""

RESIDUAL = """
input image float32[N,64,64,3]
c0 = Conv(image) filters=32 kernel=(7,7) strides=(2,2) padding=same
c1 = Conv(c0) filters=32 kernel=(3,3) padding=same
r1 = Swish(c1)
c2 = Conv(r1) filters=32 kernel=(3,3) padding=same
s = Add(c0, c2)
n = LayerNormalization(s)
f = Flatten(n)
h0 = Dense(f) units=48
h = Gelu(h0)
"""

TEXT = """
input tokens int32[N,40]
e = Embedding(tokens) input_dim=5000 output_dim=64
l = LSTM(e) units=32 direction=bidirectional
h = Dropout(l) rate=0.2
"""

ENCODER = """
input tokens int32[N,64]
e = Embedding(tokens) input_dim=8000 output_dim=32
m = MultiHeadAttention(e, e) num_heads=4 key_dim=8
s = Add(e, m)
n = LayerNormalization(s)
h = GlobalAveragePool(n)
"""

SEGMENTER = """
input image float32[N,64,64,3]
c1 = Conv(image) filters=16 kernel=(3,3) padding=same
r1 = Relu(c1)
c2 = Conv(r1) filters=32 kernel=(3,3) strides=(2,2) padding=same
r2 = Relu(c2)
u = ConvTranspose(r2) filters=16 kernel=(2,2) strides=(2,2)
j = Concat(u, r1) axis=-1
h = Relu(j)
"""

TORCH = """
input image float32[N,3,32,32]
"/0/Conv" = Conv(image) filters=16 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1
"/1/Relu" = Relu("/0/Conv")
"/2/MaxPool" = MaxPool("/1/Relu") kernel=(2,2) strides=(2,2) channel_axis=1
"/3/Flatten" = Flatten("/2/MaxPool")
h = Dense("/3/Flatten") units=64
"""


def fault(network, head, *settings, file="format=keras"):
    """A network with a head, as read from a file with these compile settings."""
    return "\n".join((f"model m {file}", *settings, network.strip(), head.strip()))


def dense(units, activation="", output="d"):
    """A dense head behind h; an activation behind it becomes the output o."""
    lines = [f"d = Dense(h) units={units}"]
    if activation:
        lines.append(f"o = {activation}(d)")
    return "\n".join((*lines, f"output {'o' if activation else output}"))


def pixels(filters, activation=""):
    """A head with a score per pixel and class."""
    return dense(filters, activation).replace("Dense(h) units=", "Conv(h) kernel=(1,1) filters=")


def batchwise(units):
    """A head whose softmax runs over the samples."""
    return f"d = Dense(h) units={units}\no = Softmax(d) axis=0\noutput o"


CCE, SCE, BCE = (
    f"loss {name}"
    for name in ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy")
)
LOGITS = " from_logits=true"


def compiled_dict():
    """Two heads with losses by name: raw scores under a string loss, and a sigmoid under sparse labels."""
    import keras

    x = keras.Input((12,))
    h = keras.layers.Dense(8, activation="relu")(x)
    kind = keras.layers.Dense(4, name="kind")(h)
    flag = keras.layers.Dense(1, activation="sigmoid", name="flag")(h)
    spare = keras.layers.Dense(3, name="spare")(h)
    model = keras.Model(x, {"kind": kind, "flag": flag, "spare": spare})
    model.compile(
        "adam",
        loss={"kind": "categorical_crossentropy", "flag": "sparse_categorical_crossentropy"},
    )
    return model


def compiled_objects():
    """Logits, with metrics as objects and functions that expect probabilities."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(
        keras.optimizers.Adam(1e-3),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.AUC(from_logits=True), keras.metrics.Precision()],
    )
    return model


def compiled_equality():
    """A classifier whose metric is the class Accuracy."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=[keras.metrics.Accuracy()])
    return model


def compiled_regression():
    """Numbers with accuracy as their metric, in the short names of Keras."""
    import keras

    model = keras.Sequential(
        [keras.Input((13,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile("rmsprop", loss="mse", metrics=["acc"])
    return model


def compiled_in_half():
    """A classifier under mixed precision whose softmax was left in the policy of the other layers."""
    import keras

    half = {"dtype": "mixed_float16"}
    x = keras.Input((24, 24, 3))
    y = keras.layers.Conv2D(8, 3, activation="relu", **half)(x)
    y = keras.layers.GlobalAveragePooling2D(**half)(y)
    y = keras.layers.Dense(5, activation="softmax", **half)(y)
    model = keras.Model(x, y)
    model.compile("adam", loss="sparse_categorical_crossentropy")
    return model


def compiled_masks():
    """A sigmoid per pixel under a loss object that is told of logits."""
    import keras

    x = keras.Input((16, 16, 1))
    y = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)
    model = keras.Model(x, y)
    model.compile("adam", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return model


FAULTS = [
    ("softmax-over-one-unit", "mlp", fault(MLP, dense(1, "Softmax"), BCE)),
    ("softmax-over-one-unit", "text", fault(TEXT, dense(1, "Softmax"))),
    ("softmax-over-one-unit", "torch", fault(TORCH, dense(1, "Softmax"), file="format=onnx opset=17")),
    ("categorical-loss-on-one-unit", "mlp", fault(MLP, dense(1, "Sigmoid"), SCE)),
    ("categorical-loss-on-one-unit", "cnn", fault(CNN, dense(1, "Sigmoid"), CCE)),
    ("categorical-loss-on-one-unit", "text", fault(TEXT, dense(1), SCE + LOGITS)),
    ("categorical-loss-on-one-unit", "keras dict", compiled_dict),
    ("probabilities-with-from-logits", "cnn", fault(CNN, dense(10, "Softmax"), SCE + LOGITS)),
    ("probabilities-with-from-logits", "encoder", fault(ENCODER, dense(1, "Sigmoid"), BCE + LOGITS)),
    (
        "probabilities-with-from-logits",
        "segmenter",
        fault(SEGMENTER, "d = Conv(h) filters=5 kernel=(1,1)\no = Softmax(d)\noutput o", SCE + LOGITS),
    ),
    ("probabilities-with-from-logits", "keras masks", compiled_masks),
    ("logits-without-from-logits", "mlp", fault(MLP, dense(3), SCE)),
    ("logits-without-from-logits", "residual", fault(RESIDUAL, dense(10), CCE)),
    (
        "logits-without-from-logits",
        "segmenter",
        fault(
            SEGMENTER,
            "d = Conv(h) filters=5 kernel=(1,1)\no = Reshape(d) shape=(0,4096,5)\noutput o",
            SCE,
        ),
    ),
    (
        "logits-without-from-logits",
        "two heads",
        fault(
            CNN,
            "d = Dense(h) units=4\nq = Dense(h) units=1\noutput q d",
            "loss mean_squared_error @0",
            f"{CCE} @1",
        ),
    ),
    ("logits-without-from-logits", "binary text", fault(TEXT, dense(1), BCE)),
    ("logits-without-from-logits", "leaky", fault(MLP, dense(3, "LeakyRelu"), CCE)),
    ("logits-without-from-logits", "log-probabilities", fault(MLP, dense(3, "LogSoftmax"), SCE)),
    ("logits-without-from-logits", "keras dict", compiled_dict),
    ("sigmoid-with-categorical-loss", "mlp", fault(MLP, dense(3, "Sigmoid"), CCE)),
    ("sigmoid-with-categorical-loss", "residual", fault(RESIDUAL, dense(10, "Sigmoid"), SCE)),
    ("sigmoid-with-categorical-loss", "encoder", fault(ENCODER, dense(2, "HardSigmoid"), CCE)),
    ("softmax-with-binary-loss", "mlp", fault(MLP, dense(3, "Softmax"), BCE)),
    ("softmax-with-binary-loss", "text", fault(TEXT, dense(2, "Softmax"), BCE)),
    (
        "softmax-with-binary-loss",
        "segmenter",
        fault(SEGMENTER, "d = Conv(h) filters=5 kernel=(1,1)\no = Softmax(d)\noutput o", BCE),
    ),
    ("rectified-scores-with-cross-entropy", "mlp", fault(MLP, dense(3, "Relu"), SCE)),
    ("rectified-scores-with-cross-entropy", "cnn", fault(CNN, dense(10, "Relu"), CCE + LOGITS)),
    ("rectified-scores-with-cross-entropy", "text", fault(TEXT, dense(1, "Relu"), BCE)),
    ("rectified-scores-with-cross-entropy", "exp", fault(MLP, dense(1, "Exp"), BCE)),
    ("tanh-with-cross-entropy", "mlp", fault(MLP, dense(1, "Tanh"), BCE)),
    ("tanh-with-cross-entropy", "cnn", fault(CNN, dense(10, "Tanh"), SCE)),
    (
        "tanh-with-cross-entropy",
        "recurrent output",
        fault(
            "input x float32[N,30,6]",
            "l = LSTM(x) units=32 return_sequences=true\no = GRU(l) units=4\noutput o",
            CCE,
        ),
    ),
    ("shares-with-absolute-error", "mlp", fault(MLP, dense(3, "Softmax"), "loss mean_absolute_error")),
    (
        "shares-with-absolute-error",
        "cnn",
        fault(CNN, dense(10, "Softmax"), "loss mean_absolute_percentage_error"),
    ),
    ("shares-with-absolute-error", "text", fault(TEXT, dense(5, "Softmax"), "loss mean_absolute_error")),
    (
        "accuracy-of-numbers",
        "mlp",
        fault(MLP, dense(1), "loss mean_squared_error", "metric accuracy"),
    ),
    (
        "accuracy-of-numbers",
        "residual",
        fault(RESIDUAL, dense(30), "loss mean_absolute_error", "metric accuracy"),
    ),
    ("accuracy-of-numbers", "text", fault(TEXT, dense(1, "Relu"), "loss huber", "metric binary_accuracy")),
    ("accuracy-of-numbers", "keras", compiled_regression),
    ("probability-metric-on-logits", "mlp", fault(MLP, dense(1), BCE + LOGITS, "metric accuracy")),
    (
        "probability-metric-on-logits",
        "cnn",
        fault(CNN, dense(6), BCE + LOGITS, "metric f1_score threshold=0.5"),
    ),
    (
        "probability-metric-on-logits",
        "segmenter",
        fault(
            SEGMENTER,
            "d = Conv(h) filters=1 kernel=(1,1)\noutput d",
            BCE + LOGITS,
            "metric binary_accuracy threshold=0.5",
        ),
    ),
    ("probability-metric-on-logits", "keras", compiled_objects),
    (
        "metric-for-other-labels",
        "mlp",
        fault(MLP, dense(3, "Softmax"), SCE, "metric categorical_accuracy"),
    ),
    (
        "metric-for-other-labels",
        "cnn",
        fault(CNN, dense(10), CCE + LOGITS, "metric sparse_categorical_accuracy"),
    ),
    (
        "metric-for-other-labels",
        "encoder",
        fault(ENCODER, dense(20, "Softmax"), SCE, "metric accuracy", "metric top_k_categorical_accuracy"),
    ),
    (
        "binary-accuracy-of-classes",
        "mlp",
        fault(MLP, dense(3, "Softmax"), CCE, "metric binary_accuracy"),
    ),
    (
        "binary-accuracy-of-classes",
        "cnn",
        fault(CNN, dense(10, "Softmax"), CCE, "metric binary_accuracy"),
    ),
    (
        "binary-accuracy-of-classes",
        "text",
        fault(TEXT, dense(5, "Softmax"), SCE, "metric binary_accuracy"),
    ),
    ("hinge-without-negative-scores", "mlp", fault(MLP, dense(1, "Sigmoid"), "loss hinge")),
    ("hinge-without-negative-scores", "cnn", fault(CNN, dense(1, "Relu"), "loss squared_hinge")),
    ("hinge-without-negative-scores", "text", fault(TEXT, dense(1, "Sigmoid"), "loss squared_hinge")),
    ("negative-numbers-with-log-loss", "mlp", fault(MLP, dense(1), "loss poisson")),
    ("negative-numbers-with-log-loss", "text", fault(TEXT, dense(4, "Tanh"), "loss poisson")),
    ("negative-numbers-with-log-loss", "encoder", fault(ENCODER, dense(8), "loss kl_divergence")),
    (
        "dropout-on-scores",
        "mlp",
        fault(MLP, "d = Dense(h) units=3\nq = Dropout(d) rate=0.4\no = Softmax(q)\noutput o", SCE),
    ),
    (
        "dropout-on-scores",
        "segmenter",
        fault(
            SEGMENTER,
            "d = Conv(h) filters=5 kernel=(1,1)\nq = SpatialDropout(d) rate=0.2\no = Softmax(q)\noutput o",
        ),
    ),
    (
        "dropout-on-scores",
        "torch",
        fault(
            TORCH,
            "d = Dense(h) units=10\nq = Dropout(d) rate=0.5\no = LogSoftmax(q)\noutput o",
            file="format=onnx",
        ),
    ),
    (
        "dropout-on-scores",
        "behind the softmax",
        fault(MLP, "d = Dense(h) units=3\nq = Softmax(d)\no = Dropout(q) rate=0.4\noutput o", CCE),
    ),
    (
        "softmax-across-places",
        "torch segmenter",
        fault(
            "input image float32[N,3,64,64]",
            "c = Conv(image) filters=16 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1\nr = Relu(c)\n"
            "d = Conv(r) filters=4 kernel=(1,1) channel_axis=1\no = Softmax(d)\noutput o",
            file="format=onnx opset=17",
        ),
    ),
    (
        "softmax-across-places",
        "old opset",
        fault(
            "input image float32[1,3,32,32]",
            "c = Conv(image) filters=8 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1\n"
            "n = BatchNormalization(c) channel_axis=1\nd = Conv(n) filters=4 kernel=(1,1) channel_axis=1\n"
            "o = Softmax(d) flatten_from=1\noutput o",
            file="format=onnx opset=11",
        ),
    ),
    (
        "softmax-across-places",
        "keras tagger",
        fault(
            "input tokens int32[N,40]",
            "e = Embedding(tokens) input_dim=900 output_dim=32\n"
            "l = LSTM(e) units=32 return_sequences=true\n"
            "d = Dense(l) units=9\no = Softmax(d) axis=1\noutput o",
            SCE,
        ),
    ),
    (
        "output-without-loss",
        "mlp",
        fault(MLP, "d = Dense(h) units=3\nq = Dense(h) units=1\noutput d q", f"{SCE} @0{LOGITS}"),
    ),
    (
        "output-without-loss",
        "cnn",
        fault(
            CNN,
            "d = Dense(h) units=4\ns = Softmax(d)\nq1 = Dense(h) units=16\nq2 = Relu(q1)\n"
            "q = Dense(q2) units=4\n"
            "output q s",
            f"{CCE} @1",
        ),
    ),
    (
        "output-without-loss",
        "weight of zero",
        fault(
            ENCODER,
            "d = Dense(h) units=1\nq = Dense(h) units=1\noutput d q",
            "loss mean_squared_error @0",
            "loss mean_squared_error @1 weight=0.0",
        ),
    ),
    ("output-without-loss", "keras dict", compiled_dict),
    (
        "half-precision-probabilities",
        "torch half",
        fault(
            "input x float16[N,20]",
            "h = Dense(x) units=8\nr = Relu(h)\nd = Dense(r) units=3\no = Softmax(d)\noutput o",
            file="format=onnx opset=17",
        ),
    ),
    (
        "half-precision-probabilities",
        "brain float",
        fault(
            "input x bfloat16[N,20]",
            "h = Dense(x) units=8\nr = Relu(h)\nd = Dense(r) units=1\no = Sigmoid(d)\noutput o",
            file="format=onnx opset=17",
        ),
    ),
    (
        "half-precision-probabilities",
        "keras float16 policy",
        fault(
            "input x float32[N,20]",
            "d = Dense(x) units=3 compute_dtype=float16 | kernel float16[20,3], bias float16[3]\n"
            "o = Softmax(d)\noutput o",
            CCE,
        ),
    ),
    (
        "half-precision-probabilities",
        "keras mixed precision",
        compiled_in_half,
    ),
    (
        "one-sign-for-signed-number",
        "encoder of a vae",
        fault(
            "input image float32[N,28,28,1]",
            "c = Conv(image) filters=32 kernel=(3,3) strides=(2,2) padding=same\nr = Relu(c)\n"
            "f = Flatten(r)\nm = Dense<Dense z_mean>(f) units=2\nv = Dense<Dense z_log_var>(f) units=2\n"
            'v2 = Relu(v) @"z_log_var/relu"\nz = Unknown<Sampling sampling>(m, v2)\noutput m v2 z',
        ),
    ),
    (
        "one-sign-for-signed-number",
        "torch",
        fault(
            TORCH,
            '"/fc_logvar/Gemm" = Dense(h) units=8\no = Relu("/fc_logvar/Gemm")\noutput o',
            file="format=onnx",
        ),
    ),
    (
        "one-sign-for-signed-number",
        "driver",
        fault(CNN, "d = Dense<Dense steering>(h) units=1\no = Relu(d)\noutput o", "loss mean_squared_error"),
    ),
    ("bounded-regression-output", "mlp", fault(MLP, dense(1, "Relu"), "loss mean_squared_error")),
    ("bounded-regression-output", "cnn", fault(CNN, dense(4, "Sigmoid"), "loss mean_absolute_error")),
    ("bounded-regression-output", "text", fault(TEXT, dense(1, "Tanh"), "loss huber")),
    ("accuracy-by-equality", "cnn", fault(CNN, dense(10, "Softmax"), SCE, "metric exact_accuracy")),
    ("accuracy-by-equality", "mlp", fault(MLP, dense(1, "Sigmoid"), BCE, "metric exact_accuracy")),
    ("accuracy-by-equality", "residual", fault(RESIDUAL, dense(3), "loss huber", "metric exact_accuracy")),
    ("accuracy-by-equality", "objects", compiled_equality),
    (
        "overlap-of-probabilities",
        "one class",
        fault(SEGMENTER, pixels(1, "Sigmoid"), BCE, "metric mean_io_u num_classes=2"),
    ),
    (
        "overlap-of-probabilities",
        "classes",
        fault(SEGMENTER, pixels(7, "Softmax"), SCE, "metric mean_io_u num_classes=7 sparse_y_pred=true"),
    ),
    (
        "overlap-of-probabilities",
        "logits",
        fault(SEGMENTER, pixels(1), BCE + LOGITS, "metric io_u num_classes=2"),
    ),
    ("class-metric-on-one-unit", "mlp", fault(MLP, dense(1, "Sigmoid"), BCE, "metric categorical_accuracy")),
    (
        "class-metric-on-one-unit",
        "text",
        fault(TEXT, dense(1), BCE + LOGITS, "metric sparse_categorical_accuracy"),
    ),
    (
        "class-metric-on-one-unit",
        "cnn",
        fault(CNN, dense(1), "loss hinge", "metric top_k_categorical_accuracy"),
    ),
    (
        "top-k-of-all-classes",
        "cnn",
        fault(CNN, dense(4, "Softmax"), CCE, "metric top_k_categorical_accuracy k=5"),
    ),
    (
        "top-k-of-all-classes",
        "text",
        fault(TEXT, dense(3), SCE + LOGITS, "metric sparse_top_k_categorical_accuracy"),
    ),
    (
        "top-k-of-all-classes",
        "encoder",
        fault(ENCODER, dense(2, "Softmax"), SCE, "metric sparse_top_k_categorical_accuracy k=2"),
    ),
    ("labels-smoothed-away", "cnn", fault(CNN, dense(10, "Softmax"), CCE + " label_smoothing=1.0")),
    ("labels-smoothed-away", "encoder", fault(ENCODER, dense(5), CCE + LOGITS + " label_smoothing=1.0")),
    ("labels-smoothed-away", "mlp", fault(MLP, dense(1, "Sigmoid"), BCE + " label_smoothing=1.0")),
    (
        "norm-behind-probabilities",
        "cnn",
        fault(CNN, "d = Dense(h) units=10\na = Softmax(d)\no = BatchNormalization(a)\noutput o", SCE),
    ),
    (
        "norm-behind-probabilities",
        "text",
        fault(TEXT, "d = Dense(h) units=1\na = Sigmoid(d)\no = BatchNormalization(a)\noutput o", BCE),
    ),
    (
        "norm-behind-probabilities",
        "torch",
        fault(
            TORCH,
            "d = Dense(h) units=5\na = Softmax(d)\no = LayerNormalization(a)\noutput o",
            file="format=onnx",
        ),
    ),
    ("softmax-over-batch", "torch", fault(TORCH, batchwise(10), file="format=onnx")),
    ("softmax-over-batch", "mlp", fault(MLP, batchwise(3))),
    ("softmax-over-batch", "encoder", fault(ENCODER, batchwise(4))),
]
"""(rule, name, model): the text of a model as a reader gives it, or a function that makes one with Keras."""

MISSED: set[tuple[str, str]] = set()
"""What is known not to be found, as (rule, name)."""
