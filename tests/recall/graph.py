"""Faults of graph hygiene, each planted in networks of different build."""

CNN = """
model net format=onnx opset=17 ir_version=8
input image float32[N,3,32,32]
c1 = Conv<Conv conv1>(image) filters=16 kernel=(3,3) channel_axis=1
r1 = Relu(c1)
p1 = MaxPool(r1) kernel=(2,2) strides=(2,2) channel_axis=1
c2 = Conv<Conv conv2>(p1) filters=32 kernel=(3,3) channel_axis=1
"""

MLP = """
model net format=onnx opset=17 ir_version=8
input x float32[N,20]
h1 = Dense<Gemm fc1>(x) units=64
a1 = Relu(h1)
h2 = Dense<Gemm fc2>(a1) units=32
"""

ENCODER = """
model net format=onnx opset=17 ir_version=8
input tokens int64[N,64]
e = Embedding<Gather emb>(tokens) input_dim=8000 output_dim=32
q = Dense<MatMul q>(e) units=32
k = Dense<MatMul k>(e) units=32
v = Dense<MatMul v>(e) units=32
m = Attention(q, k, v) layout=btd q_num_heads=4 kv_num_heads=4
s = Add(e, m)
"""

RESIDUAL = """
model net format=onnx opset=17 ir_version=8
input image float32[N,3,64,64]
c0 = Conv(image) filters=32 kernel=(7,7) strides=(2,2) padding=((3,3),(3,3)) channel_axis=1 use_bias=false
b0 = BatchNormalization(c0) channel_axis=1
r0 = Relu(b0)
c1 = Conv(r0) filters=32 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1 use_bias=false
"""

KERAS = """
model net format=keras
input image float32[N,32,32,3]
c1 = Conv<Conv2D conv2d>(image) filters=16 kernel=(3,3) padding=same
r1 = Relu(c1)
g = GlobalAveragePool(r1)
h = Dense<Dense dense>(g) units=32
"""

SIGNAL = "input eeg float32[N,22,256]\nr = Reshape(eeg) shape=(0,256,22)\n"
IMAGE = (
    "input image float32[N,3,64,64]\nr = Reshape(image) shape=(0,64,64,3)\n"
    "c = Conv(r) filters=16 kernel=(3,3) padding=same\n"
)

TAGGER = """
model net format=keras
input words int32[N,40]
e = Embedding(words) input_dim=5000 output_dim=64
l = LSTM(e) units=32 return_sequences=true direction=bidirectional
"""

QUANTIZED = """
model net format=onnx opset=17 ir_version=8
input image uint8[N,3,32,32]
s = Constant() | value float32[] =(0.0078125)
t = Constant() | value float32[] =(0.02)
zero = Constant() | value float32[] =(0.0)
z = Constant() | value uint8[] =(128)
d = DequantizeLinear(image, s, z)
c = Conv(d) filters=16 kernel=(3,3) channel_axis=1
q = QuantizeLinear(c, t, z)
"""


def _siamese():
    import keras

    tower = keras.Sequential([keras.layers.Dense(32, activation="relu"), keras.layers.Dense(8)])
    one, two = keras.Input((16,)), keras.Input((16,))
    apart = keras.layers.Subtract()([tower(one), tower(one)])
    return keras.Model([one, two], keras.layers.Dense(1)(keras.layers.Concatenate()([apart, two])))


def _monte_carlo():
    import keras

    x = keras.Input((16,))
    y = keras.layers.Dense(32, activation="relu")(x)
    return keras.Model(x, keras.layers.Dense(4)(keras.layers.Dropout(0.3)(y, training=True)))


def _reshaped_twice():
    import keras

    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.Reshape((6, 6, 4)),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


FAULTS = [
    ("dead-node", "head that was not connected", MLP + "aux = Dense(a1) units=5\noutput h2"),
    (
        "dead-node",
        "branch of an encoder",
        ENCODER + "p = ReduceMean(m) axes=(1)\nd = Dense(p) units=2\noutput s",
    ),
    (
        "dead-node",
        "norm before a residual",
        RESIDUAL + "n = InstanceNormalization(c1) channel_axis=1\noutput c1",
    ),
    (
        "unused-input",
        "mask of an encoder",
        ENCODER.replace("input t", "input mask int64[N,64]\ninput t") + "output s",
    ),
    (
        "unused-input",
        "second image",
        CNN.replace("input i", "input depth float32[N,1,32,32]\ninput i") + "output c2",
    ),
    (
        "unused-input",
        "lengths of a tagger",
        TAGGER.replace("input w", "input n int32[N]\ninput w") + "output l",
    ),
    ("unused-initializer", "old classifier", CNN + "old = Constant() | value float32[1000,512]\noutput c2"),
    (
        "unused-initializer",
        "embedding of a cut decoder",
        ENCODER + "dec = Constant() | value float16[8000,32]\noutput s",
    ),
    ("unused-initializer", "observers", MLP + "o = Constant() | value float64[300]\noutput h2"),
    (
        "node-without-effect",
        "identity of a traced branch",
        CNN + "i = Identity<Identity id>(c2)\ny = Relu(i)\noutput y",
    ),
    (
        "node-without-effect",
        "dropout left in",
        MLP + "d = Dropout(h2) rate=0.2\ny = Dense(d) units=3\noutput y",
    ),
    (
        "node-without-effect",
        "cast to the same",
        ENCODER + "f = Cast(s) to=float32\ny = Dense(f) units=3\noutput y",
    ),
    (
        "node-without-effect",
        "times one",
        RESIDUAL
        + "one = Constant() | value float32[1,1,1,1] =(1.0)\nm = Mul(one, c1)\ny = Relu(m)\noutput y",
    ),
    ("node-without-effect", "keras reshape to the same", _reshaped_twice),
    ("softmax-before-argmax", "classifier", MLP + "p = Softmax(h2)\ny = ArgMax(p) axis=1\noutput y"),
    ("softmax-before-argmax", "segmenter", CNN + "p = Softmax(c2) axis=1\ny = ArgMax(p) axis=1\noutput y"),
    ("softmax-before-argmax", "tagger", TAGGER + "p = LogSoftmax(l)\ny = ArgMax(p) axis=-1\noutput y"),
    (
        "transposes-that-cancel",
        "around an activation",
        CNN + "t = Transpose(c2) perm=(0,2,3,1)\nr = HardSwish(t)\nb = Transpose(r) perm=(0,3,1,2)\n"
        "y = Conv(b) filters=4 kernel=(1,1) channel_axis=1\noutput y",
    ),
    (
        "transposes-that-cancel",
        "between two recurrent layers",
        TAGGER + "t = Transpose(l) perm=(1,0,2)\nb = Transpose(t) perm=(1,0,2)\ny = GRU(b) units=4\noutput y",
    ),
    (
        "transposes-that-cancel",
        "heads there and back",
        ENCODER + "r = Reshape(s) shape=(0,64,4,8)\nt = Transpose(r) perm=(0,2,1,3)\nc = Cast(t) to=float16\n"
        "b = Transpose(c) perm=(0,2,1,3)\noutput b",
    ),
    *(
        (
            "many-layout-transposes",
            name,
            start
            + "".join(
                f"t{at} = Transpose({before}) perm=(0,2,3,1)\nn{at} = Softmax(t{at})\n"
                f"u{at} = Transpose(n{at}) perm=(0,3,1,2)\n"
                for at, before in enumerate([last, *(f"u{at}" for at in range(times - 1))])
            )
            + f"output u{times - 1}",
        )
        for name, start, last, times in (
            ("plain", CNN, "c2", 4),
            ("residual", RESIDUAL, "c1", 5),
            ("quantized", QUANTIZED, "c", 9),
        )
    ),
    (
        "redundant-cast",
        "indices",
        ENCODER.replace("tokens int64", "t0 int32").replace(
            "e = ", "t1 = Cast(t0) to=int64\ntokens = Cast(t1) to=int32\ne = "
        )
        + "output s",
    ),
    (
        "redundant-cast",
        "half to double",
        MLP.replace("float32[N", "float16[N") + "a = Cast(h2) to=float32\nb = Cast(a) to=float64\noutput b",
    ),
    (
        "redundant-cast",
        "mask",
        CNN + "m = Greater(c2, r1)\na = Cast(m) to=int32\nb = Cast(a) to=float32\n"
        "g = GlobalAveragePool(b) channel_axis=1\noutput g",
    ),
    (
        "digits-lost-between-casts",
        "detour through half",
        MLP + "a = Cast(h2) to=float16\nb = Cast(a) to=float32\ny = Sigmoid(b)\noutput y",
    ),
    (
        "digits-lost-between-casts",
        "detour through bfloat",
        ENCODER + "a = Cast(s) to=bfloat16\nb = Cast(a) to=float32\ny = Dense(b) units=2\noutput y",
    ),
    (
        "digits-lost-between-casts",
        "double by way of single",
        CNN.replace("float32[N", "float64[N") + "a = Cast(c2) to=float32\nb = Cast(a) to=float64\noutput b",
    ),
    (
        "repeated-work",
        "relu twice",
        CNN + "a = Relu(c2)\nb = Relu(c2)\nj = Concat(a, b) axis=1\n"
        "y = GlobalMaxPool(j) channel_axis=1\noutput y",
    ),
    (
        "repeated-work",
        "projection twice",
        ENCODER.replace(
            "k = Dense<MatMul k>(e) units=32",
            "k = Dense<MatMul k>(e) units=32 | kernel float32[32,32] @w, bias float32[32] @b\n"
            "k2 = Dense<MatMul k2>(e) units=32 | kernel float32[32,32] @w, bias float32[32] @b",
        )
        + "y = Add(s, k2)\noutput y",
    ),
    (
        "repeated-work",
        "scaled twice by equal constants",
        RESIDUAL + "p = Constant() | value float32[] =(0.5)\nq = Constant() | value float32[] =(0.5)\n"
        "a = Mul(c1, p)\nb = Mul(c1, q)\ns = Sigmoid(a)\ny = Mul(s, b)\noutput y",
    ),
    ("repeated-work", "keras tower fed with one input twice", _siamese),
    (
        "constant-work-at-runtime",
        "sum of two tables",
        ENCODER + "a = Constant() | value float32[64,32]\nb = Constant() | value float32[64,32]\n"
        "t = Add(a, b)\ny = Add(s, t)\noutput y",
    ),
    (
        "constant-work-at-runtime",
        "normalized kernel",
        MLP + "w = Constant() | value float32[32,8]\nn = LpNormalization(w)\ny = MatMul(h2, n)\noutput y",
    ),
    (
        "constant-work-at-runtime",
        "turned kernel",
        CNN.replace("ir_version=8", "constant_nodes=(w_t)") + "output c2",
    ),
    (
        "training-mode-baked-in",
        "batch norm",
        RESIDUAL + "n = BatchNormalization(c1) channel_axis=1 training=true\noutput n",
    ),
    (
        "training-mode-baked-in",
        "dropout",
        MLP + "d = Dropout(h2) rate=0.5 training=true\ny = Dense(d) units=2\noutput y",
    ),
    ("training-mode-baked-in", "keras tagger", TAGGER + "d = Dropout(l) rate=0.5 training=true\noutput d"),
    ("training-mode-baked-in", "keras call", _monte_carlo),
    ("norm-not-folded", "residual", RESIDUAL + "y = Relu(c1)\noutput y"),
    (
        "norm-not-folded",
        "depthwise",
        CNN + "d = Conv(c2) filters=32 groups=32 kernel=(3,3) channel_axis=1 use_bias=false\n"
        "n = BatchNormalization(d) channel_axis=1 folded=true center=false | gamma float32[32]\noutput n",
    ),
    (
        "norm-not-folded",
        "upsampling",
        RESIDUAL
        + "u = ConvTranspose(c1) filters=8 kernel=(2,2) strides=(2,2) channel_axis=1 use_bias=false\n"
        "n = BatchNormalization(u) channel_axis=1\noutput n",
    ),
    (
        "pad-before-window",
        "before a convolution",
        CNN + "p = Pad(c2) pads=((0,0),(0,0),(0,1),(0,1))\n"
        "y = Conv(p) filters=8 kernel=(3,3) strides=(2,2) channel_axis=1\noutput y",
    ),
    (
        "pad-before-window",
        "before a max pool behind relu",
        RESIDUAL + "r = Relu(c1)\np = Pad(r) pads=((0,0),(0,0),(1,1),(1,1))\n"
        "y = MaxPool(p) kernel=(3,3) strides=(2,2) channel_axis=1\noutput y",
    ),
    (
        "pad-before-window",
        "in the other layout",
        CNN + "t = Transpose(c2) perm=(0,2,3,1)\np = Pad(t) pads=((0,0),(2,2),(2,2),(0,0))\n"
        "b = Transpose(p) perm=(0,3,1,2)\ny = Conv(b) filters=8 kernel=(5,5) channel_axis=1\noutput y",
    ),
    (
        "dequantize-then-quantize",
        "after a convolution",
        QUANTIZED + "e = DequantizeLinear(q, t, z)\nf = QuantizeLinear(e, t, z)\noutput f",
    ),
    ("dequantize-then-quantize", "at the input", QUANTIZED + "f = QuantizeLinear(d, s, z)\noutput q f"),
    (
        "dequantize-then-quantize",
        "equal constants of other names",
        QUANTIZED + "t2 = Constant() | value float32[] =(0.02)\nz2 = Constant() | value uint8[] =(128)\n"
        "e = DequantizeLinear(q, t, z)\nf = QuantizeLinear(e, t2, z2)\noutput f",
    ),
    ("impossible-quantization-scale", "activation", QUANTIZED + "f = DequantizeLinear(q, zero, z)\noutput f"),
    (
        "impossible-quantization-scale",
        "convolution",
        QUANTIZED + "w = Constant() | value uint8[8,16,3,3]\n"
        "f = QLinearConv(q, t, z, w, t, z, zero, z) kernel=(3,3)\noutput f",
    ),
    (
        "impossible-quantization-scale",
        "product",
        MLP + "zero = Constant() | value float32[] =(inf)\nz = Constant() | value uint8[] =(0)\n"
        "q = QuantizeLinear(h2, zero, z)\noutput q",
    ),
    ("spelled-out-operator", "layer norm", ENCODER + "n = LayerNormalization<ReduceMean norm>(s)\noutput n"),
    ("spelled-out-operator", "gelu", MLP + "g = Gelu<Erf gelu>(h2)\noutput g"),
    ("spelled-out-operator", "hard swish", CNN + "g = HardSwish<Mul act>(c2)\noutput g"),
    *(
        (
            "overridable-weights",
            name,
            start.replace("ir_version=8", "ir_version=8 overridable_weights=6") + f"output {last}",
        )
        for name, start, last in (("cnn", CNN, "c2"), ("mlp", MLP, "h2"), ("encoder", ENCODER, "s"))
    ),
    *(
        ("graph-without-name", name, start.replace("model net", 'model ""') + f"output {last}")
        for name, start, last in (("cnn", CNN, "c2"), ("mlp", MLP, "h2"), ("encoder", ENCODER, "s"))
    ),
]

FAULTS += [
    (
        "merged-with-itself",
        "residual",
        RESIDUAL + "a = Add(r0, r0)\nc = Conv(a) filters=32 kernel=(3,3) channel_axis=1\noutput c\n",
    ),
    (
        "merged-with-itself",
        "mlp",
        MLP + "a2 = Relu(h2)\nj = Concat(a2, a2) axis=-1\nd = Dense(j) units=3\noutput d\n",
    ),
    ("merged-with-itself", "twins", KERAS + "s = Sub(h, h)\nd = Dense(s) units=1\noutput d\n"),
    ("axes-torn-by-reshape", "signal", SIGNAL + "l = LSTM(r) units=16\noutput l\n"),
    ("axes-torn-by-reshape", "image", IMAGE + "g = GlobalAveragePool(c)\nd = Dense(g) units=5\noutput d\n"),
    (
        "axes-torn-by-reshape",
        "text lines",
        "input line float32[N,32,128,1]\nc = Conv(line) filters=48 kernel=(3,3) strides=(4,4) padding=same\n"
        "r = Reshape(c) shape=(0,32,384)\nl = LSTM(r) units=64 return_sequences=true\noutput l\n",
    ),
    (
        "axes-torn-by-reshape",
        "torch",
        "model m format=onnx\ninput image float32[N,48,48,3]\nr = Reshape(image) shape=(-1,3,48,48)\n"
        "c = Conv(r) filters=16 kernel=(3,3) channel_axis=1\noutput c\n",
    ),
]

MISSED = set()
