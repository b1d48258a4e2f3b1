"""Models that will not run where they are meant to."""

HEAD = "model m format=onnx opset={opset} ir_version={ir}\n"
MLP = (
    "input x float32[N,64]\n"
    'a = Dense<Gemm "/fc/Gemm">(x) units=32\n'
    'r = Relu<Relu "/relu">(a)\n'
    'd = Dense<Gemm "/out/Gemm">(r) units=4\n'
    "output d\n"
)
CNN = (
    "input x float32[N,3,32,32]\n"
    'a = Conv<Conv "/conv/Conv">(x) filters=8 kernel=(3,3) channel_axis=1\n'
    'g = GlobalAveragePool<GlobalAveragePool "/pool">(a) channel_axis=1\n'
    'd = Dense<Gemm "/out/Gemm">(g) units=4\n'
    "output d\n"
)
TEXT = (
    "input ids int64[N,12]\n"
    "e = Embedding<Gather gather>(ids) input_dim=900 output_dim=16\n"
    "n = LayerNormalization<LayerNormalization ln>(e) epsilon=1e-12\n"
    "d = Dense<MatMul mm>(n) units=4\n"
    "output d\n"
)
MODELS = {"mlp": MLP, "cnn": CNN, "text": TEXT}


def _stamped(body: str, opset: int = 17, ir: int = 8) -> str:
    return HEAD.format(opset=opset, ir=ir) + body


def _ending(body: str, line: str) -> str:
    """The ONNX model with one more node, written as a function of ``d``, as its output."""
    return _stamped(body.replace("output d\n", f"{line}\noutput z\n"))


OPTIONS = {
    "opset-outside-target": {"target": ("tensorrt",)},
    "ir-version-outside-target": {"target": ("ort-web", "coreml")},
    "unsupported-on-target": {"target": ("tensorrt", "tflite")},
    "epsilon-lost-in-half-precision": {"target": ("fp16",)},
}

KERAS_LSTM = (
    "model m format=keras\n"
    "input x float32[N,20,8]\n"
    "a = LSTM<LSTM lstm>(x) units=16\n"
    "d = Dense<Dense dense>(a) units=2\n"
    "output d\n"
)

FAULTS = [
    *(
        ("opset-outside-target", f"too new, {name}", _stamped(text, opset=25))
        for name, text in MODELS.items()
    ),
    ("opset-outside-target", "too old, cnn", _stamped(CNN, opset=7)),
    *(("ir-version-outside-target", name, _stamped(text, ir=14)) for name, text in MODELS.items()),
    *(
        ("unsupported-on-target", f"unique, {name}", _ending(text, "z = Unique<Unique u>(d)"))
        for name, text in MODELS.items()
    ),
    ("unsupported-on-target", "quantized convolution", _ending(CNN, "z = Unknown<QLinearMatMul q>(d)")),
    ("unsupported-on-target", "keras lstm on a phone", KERAS_LSTM),
    (
        "unsupported-on-target",
        "keras bidirectional gru",
        KERAS_LSTM.replace("LSTM<LSTM lstm>", "GRU<Bidirectional bi>"),
    ),
    (
        "unsupported-on-target",
        "keras pooling of videos",
        (
            "model m format=keras\n"
            "input x float32[N,8,32,32,3]\n"
            "a = Conv<Conv3D c>(x) filters=8 kernel=(3,3,3)\n"
            "p = MaxPool<MaxPooling3D p>(a) kernel=(2,2,2) strides=(2,2,2)\n"
            "output p\n"
        ),
    ),
    (
        "removed-operator",
        "upsample in a generator",
        _stamped(
            (
                "input z float32[N,16,4,4]\n"
                "c = Conv<Conv c>(z) filters=8 kernel=(3,3) channel_axis=1\n"
                "u = Resize<Upsample u>(c) scales=(2.0,2.0) channel_axis=1\n"
                "output u\n"
            ),
            opset=12,
        ),
    ),
    (
        "removed-operator",
        "upsample in a feature pyramid",
        _stamped(
            "input a float32[N,8,8,8]\n"
            "input b float32[N,8,16,16]\n"
            "u = Resize<Upsample up>(a) scales=(2.0,2.0) channel_axis=1\n"
            "s = Add<Add add>(u, b)\n"
            "output s\n"
        ),
    ),
    (
        "removed-operator",
        "scatter into a cache",
        _stamped(
            (
                "input cache float32[4,32]\n"
                "input at int64[4,1]\n"
                "input new float32[4,1]\n"
                "s = ScatterElements<Scatter sc>(cache, at, new) axis=1\n"
                "output s\n"
            ),
            opset=11,
        ),
    ),
    *(
        ("foreign-operator", f"custom domain, {name}", _ending(text, "z = Unknown<acme.ops.Fast n>(d)"))
        for name, text in MODELS.items()
    ),
    (
        "foreign-operator",
        "torch that was not exported",
        _ending(CNN, "z = Unknown<org.pytorch.aten.ATen n>(d)"),
    ),
    ("foreign-operator", "microsoft", _ending(TEXT, "z = Unknown<com.microsoft.FusedMatMul n>(d)")),
    (
        "batch-size-in-reshape",
        "view behind convolutions",
        _stamped(
            "input x float32[N,3,32,32]\n"
            "a = Conv(x) filters=8 kernel=(3,3) channel_axis=1\n"
            "r = Reshape(a) shape=(1,7200)\n"
            "d = Dense(r) units=4\n"
            "output d\n"
        ),
    ),
    (
        "batch-size-in-reshape",
        "heads of an attention",
        _stamped(
            "input x float32[batch,16,64]\n"
            "q = Dense(x) units=64\n"
            "r = Reshape(q) shape=(2,16,8,8)\n"
            "t = Transpose(r) perm=(0,2,1,3)\n"
            "output t\n"
        ),
    ),
    (
        "batch-size-in-reshape",
        "batch folded into rows",
        _stamped("input x float32[N,10,4]\nd = Dense(x) units=6\nr = Reshape(d) shape=(80,6)\noutput r\n"),
    ),
    (
        "batch-size-in-reshape",
        "keras model",
        (
            "model m format=keras\n"
            "input x float32[N,8,8,2]\n"
            "r = Reshape(x) shape=(1,128)\n"
            "d = Dense(r) units=4\n"
            "output d\n"
        ),
    ),
    ("fixed-batch-size", "mlp", MLP.replace("[N,", "[32,")),
    ("fixed-batch-size", "cnn", CNN.replace("[N,", "[8,")),
    ("fixed-batch-size", "keras lstm", KERAS_LSTM.replace("[N,", "[64,")),
    (
        "fixed-batch-size",
        "two inputs",
        "input a float32[16,8]\ninput b float32[16,8]\nc = Add(a, b)\noutput c\n",
    ),
    *(
        ("protobuf-size-limit", name, _stamped(text).replace("opset", "size_bytes=2200000000 opset"))
        for name, text in MODELS.items()
    ),
    *(
        (
            "opaque-interface-name",
            name,
            _stamped(text.replace("output d", '"123" = Identity(d)\noutput "123"')),
        )
        for name, text in MODELS.items()
    ),
    *(
        ("epsilon-lost-in-half-precision", name, text)
        for name, text in {
            "bert": _stamped(TEXT),
            "cnn": _ending(CNN.replace("output d", "output d"), "z = BatchNormalization(d) epsilon=1e-9"),
            "instance norm": (
                "input x float32[N,16,16,8]\n"
                "c = Conv(x) filters=8 kernel=(3,3)\n"
                "n = InstanceNormalization(c) epsilon=1e-10\n"
                "output n\n"
            ),
            "rms norm": (
                "input x float32[N,16,32]\n"
                "n = RMSNormalization(x) epsilon=1e-8\n"
                "d = Dense(n) units=4\n"
                "output d\n"
            ),
        }.items()
    ),
    (
        "raw-image-input",
        "keras",
        "input x float32[N,64,64,3]\na = Conv(x) filters=8 kernel=(3,3)\nr = Relu(a)\noutput r\n",
    ),
    ("raw-image-input", "torch", _stamped(CNN)),
    (
        "raw-image-input",
        "gray, with augmentation",
        "input x float32[N,64,64,1]\nf = RandomFlip(x)\na = Conv(f) filters=8 kernel=(3,3)\noutput a\n",
    ),
]

MISSED: set[tuple[str, str]] = set()
"""What is known not to be found, as (rule, name)."""
