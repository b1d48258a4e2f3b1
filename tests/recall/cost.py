"""Models that cost more than they should, or than they may."""

MLP = """\
model mlp format=keras size_bytes=9000000
input x float32[N,784]
a = Dense(x) units=512
r = Relu(a)
b = Dense(r) units=256
s = Relu(b)
d = Dense(s) units=10
output d
"""
CNN = """\
model cnn format=keras size_bytes=9000000
input image float32[N,256,320,3]
a = Conv(image) filters=32 kernel=(3,3) padding=same
r = Relu(a)
p = MaxPool(r) kernel=(2,2) strides=(2,2)
b = Conv(p) filters=64 kernel=(3,3)
s = Relu(b)
g = GlobalAveragePool(s)
d = Dense(g) units=10
output d
"""
EXPORT = """\
model torch format=onnx opset=19 ir_version=9 size_bytes=9000000
input "input.1" float32[N,3,256,320]
a = Conv<Conv "/features/0/Conv">("input.1") filters=32 kernel=(3,3) padding=((1,1),(1,1)) channel_axis=1
n = BatchNormalization<BatchNormalization "/features/1/BN">(a) channel_axis=1
r = Relu<Relu "/features/2/Relu">(n)
b = Conv<Conv "/features/3/Conv">(r) filters=64 kernel=(3,3) strides=(2,2) channel_axis=1
g = GlobalAveragePool<GlobalAveragePool "/pool">(b) channel_axis=1
d = Dense<Gemm "/classifier/Gemm">(g) units=10
output d
"""
LSTM = """\
model text format=onnx opset=11 ir_version=6 size_bytes=9000000
input ids int64[N,40]
e = Embedding(ids) input_dim=20000 output_dim=64
l = LSTM(e) units=64
d = Dense(l) units=2
output d
"""
SKIP = """\
model unet format=keras size_bytes=9000000
input image float32[N,256,256,1]
a = Conv(image) filters=16 kernel=(3,3) padding=same
r = Relu(a)
p = MaxPool(r) kernel=(2,2) strides=(2,2)
b = Conv(p) filters=32 kernel=(3,3) padding=same
u = Resize(b) scales=(2.0,2.0)
c = Concat(r, u) axis=-1
d = Conv(c) filters=1 kernel=(1,1)
output d
"""

OPTIONS = {
    "parameters-over-budget": {"max": 5_000},
    "file-over-budget": {"max_bytes": 8_000_000},
    "macs-over-budget": {"max": 100_000},
    "activations-over-budget": {"max_bytes": 4_000},
    "layer-share-over-budget": {"max_share": 0.5},
    "opset-outside-range": {"min": 13, "max": 17},
    "input-size-outside-range": {"min": 16, "max": 224},
    "misaligned-channels": {"target": ("gpu",)},
    "misaligned-vocabulary": {"target": ("gpu",)},
}

ALL = {"mlp": MLP, "cnn": CNN, "torch cnn": EXPORT, "lstm": LSTM, "unet": SKIP}


def _double(text: str, *layers: str) -> str:
    """The model with float64 weights in these layers."""
    kernels = {
        "a = Dense(x) units=512": " | kernel float64[784,512], bias float64[512]",
        "b = Conv(p) filters=64 kernel=(3,3)": " | kernel float64[3,3,32,64], bias float64[64]",
    }
    for layer in layers:
        text = text.replace(layer, layer + kernels[layer])
    return text


FAULTS = [
    *(("parameters-over-budget", name, text) for name, text in ALL.items() if name != "unet"),
    *(("file-over-budget", name, text) for name, text in ALL.items()),
    *(("macs-over-budget", name, text) for name, text in ALL.items()),
    *(("activations-over-budget", name, text) for name, text in ALL.items()),
    *(("layer-share-over-budget", name, text) for name, text in ALL.items()),
    ("opset-outside-range", "too new", EXPORT),
    ("opset-outside-range", "too old", LSTM),
    ("opset-outside-range", "far too new", EXPORT.replace("opset=19", "opset=25")),
    ("input-size-outside-range", "keras", CNN),
    ("input-size-outside-range", "torch", EXPORT),
    ("input-size-outside-range", "too small", SKIP.replace("256,256", "8,8")),
    (
        "layer-dominates-model",
        "vocabulary",
        LSTM.replace("20000", "300000")
        .replace("d = ", "q = Dense(l) units=9\nd = ")
        .replace("Dense(l) units=2", "Dense(q) units=2"),
    ),
    (
        "layer-dominates-model",
        "wide window",
        CNN.replace(
            "b = Conv(p) filters=64 kernel=(3,3)",
            "h = Conv(p) filters=8 kernel=(3,3)\nb = Conv(h) filters=900 kernel=(15,15)",
        ),
    ),
    (
        "layer-dominates-model",
        "torch, many channels",
        EXPORT.replace("g = Glob", "h = Conv(b) filters=4096 kernel=(3,3) channel_axis=1\ng = Glob").replace(
            'Pool "/pool">(b)', 'Pool "/pool">(h)'
        ),
    ),
    ("float64-compute", "first layer", _double(MLP, "a = Dense(x) units=512")),
    ("float64-compute", "inner convolution", _double(CNN, "b = Conv(p) filters=64 kernel=(3,3)")),
    (
        "float64-compute",
        "everything, from its input on",
        EXPORT.replace("float32", "float64").replace("(g) units=10", "(g) units=10 | kernel float64[64,10]"),
    ),
    (
        "float64-compute",
        "a cast in front of a product",
        (
            "input x float32[N,8,16]\n"
            "input y float32[N,16,4]\n"
            "a = Cast(x) to=float64\n"
            "b = Cast(y) to=float64\n"
            "m = MatMul(a, b)\n"
            "output m\n"
        ),
    ),
    ("misaligned-channels", "keras", CNN.replace("filters=32", "filters=30")),
    ("misaligned-channels", "torch", EXPORT.replace("filters=32", "filters=33")),
    ("misaligned-channels", "unet", SKIP.replace("filters=16", "filters=18")),
    (
        "misaligned-channels",
        "attention block",
        "input x float32[N,256,64]\na = Dense(x) units=250\nr = Gelu(a)\nb = Dense(r) units=64\noutput b\n",
    ),
    (
        "misaligned-vocabulary",
        "keras lstm",
        LSTM.replace("20000", "20001")
        .replace("units=64\n", "units=64 return_sequences=true\n")
        .replace("units=2\n", "units=20001\n"),
    ),
    (
        "misaligned-vocabulary",
        "gpt",
        (
            "model gpt format=onnx\n"
            "input ids int64[N,32]\n"
            "e = Embedding(ids) input_dim=50257 output_dim=64\n"
            "a = LayerNormalization(e)\n"
            "d = Dense(a) units=50257\n"
            "output d\n"
        ),
    ),
    (
        "misaligned-vocabulary",
        "bert with softmax",
        (
            "input ids int32[N,16]\n"
            "e = Embedding(ids) input_dim=30522 output_dim=48\n"
            "a = Dense(e) units=48\n"
            "g = Gelu(a)\n"
            "d = Dense(g) units=30522\n"
            "s = Softmax(d)\n"
            "output s\n"
        ),
    ),
    ("large-activation-peak", "full resolution", CNN.replace("256,320", "2048,2048")),
    ("large-activation-peak", "torch", EXPORT.replace("256,320", "2048,2048")),
    ("large-activation-peak", "skip at full resolution", SKIP.replace("256,256", "1536,1536")),
    (
        "large-activation-peak",
        "attention over 8,192 positions",
        (
            "input x float32[N,8192,64]\n"
            "m = MultiHeadAttention(x, x) num_heads=8 key_dim=8\n"
            "o = Dense(m) units=64\n"
            "s = Transpose(x) perm=(0,2,1)\n"
            "t = MatMul(x, s)\n"
            "p = Softmax(t)\n"
            "y = MatMul(p, o)\n"
            "output y\n"
        ),
    ),
]

MISSED: set[tuple[str, str]] = set()
"""What is known not to be found, as (rule, name)."""
