"""Faults of compile settings and of frozen layers, each planted in networks of different build."""

MLP = """
loss mean_squared_error output=0
input x float32[N,20]
h1 = Dense<Dense dense>(x) units=64
a1 = Relu(h1)
y = Dense<Dense dense_1>(a1) units=3
output y
"""

CNN = """
loss categorical_crossentropy output=0
input image float32[N,32,32,3]
c1 = Conv<Conv2D conv2d>(image) filters=16 kernel=(3,3) padding=same use_bias=false
b1 = BatchNormalization(c1)
r1 = Relu(b1)
g = GlobalAveragePool(r1)
d = Dense<Dense classes>(g) units=10
y = Softmax(d)
output y
"""

TEXT = """
loss binary_crossentropy output=0
input tokens int32[N,40]
e = Embedding<Embedding embedding>(tokens) input_dim=5000 output_dim=64
l = LSTM<LSTM lstm>(e) units=32
d = Dense<Dense dense>(l) units=1
y = Sigmoid(d)
output y
"""

NETWORKS = {"mlp": MLP, "cnn": CNN, "text": TEXT}


def compiled(network: str, optimizer: str, head: str = "") -> str:
    return f"{head}\ntraining\noptimizer {optimizer}\n{network}"


def everywhere(rule: str, *optimizers: str) -> list[tuple[str, str, str]]:
    """One fault after the other, one per network."""
    pairs = zip(NETWORKS.items(), optimizers, strict=True)
    return [(rule, f"{name}: {words}", compiled(network, words)) for (name, network), words in pairs]


def frozen(network: str, *params: tuple[str, str]) -> str:
    """The network with params written out as frozen."""
    lines = []
    for line in network.splitlines():
        for node, words in params:
            if line.startswith(f"{node} ="):
                line += f" | {words}"
        lines.append(line)
    return "\n".join(lines)


DENSE_10 = "kernel float32[16,10] frozen, bias float32[10] frozen"
CONV_16 = "kernel float32[3,3,3,16] frozen"
NORM_16 = (
    "gamma float32[16] frozen, beta float32[16] frozen, "
    "moving_mean float32[16] frozen, moving_variance float32[16] frozen"
)
MLP_1 = "kernel float32[20,64] frozen, bias float32[64] frozen"
MLP_2 = "kernel float32[64,3] frozen, bias float32[3] frozen"
TEXT_E = "embeddings float32[5000,64] frozen"
TEXT_L = "kernel float32[64,128] frozen, recurrent_kernel float32[32,128] frozen, bias float32[128] frozen"
TEXT_D = "kernel float32[32,1] frozen, bias float32[1] frozen"

BACKBONE = """
loss categorical_crossentropy output=0
input image float32[N,{shape}]
a = Conv(image) filters=8 kernel=(3,3) use_bias=false{axis} | kernel float32[3,3,3,8] frozen
m = BatchNormalization(a){axis}
s = {activation}(m)
b = Conv(s) filters=8 kernel=(3,3) use_bias=false{axis} | kernel float32[3,3,8,8] frozen
n = BatchNormalization(b){axis}
t = {activation}(n)
c = Conv(t) filters=8 kernel=(3,3) use_bias=false{axis} | kernel float32[3,3,8,8] frozen
g = GlobalAveragePool(c){axis}
d = Dense(g) units=10
output d
"""


def backbone(shape: str, activation: str, axis: str = "") -> str:
    return compiled(BACKBONE.format(shape=shape, activation=activation, axis=axis), "adam")


def sized(format_: str, size: int) -> str:
    return f"model m format={format_} size_bytes={size}"


WIDE = """
loss mean_squared_error output=0
input x float32[N,1000]
d = Dense(x) units=1000
output d
"""

WIDE_TEXT = TEXT.replace("5000", "50000")
WIDE_CNN = CNN.replace("filters=16 kernel=(3,3)", "filters=4096 kernel=(5,5)")

LOCKED = {
    "mlp": frozen(MLP, ("h1", MLP_1), ("y", MLP_2)),
    "cnn": frozen(CNN, ("c1", CONV_16), ("b1", NORM_16), ("d", DENSE_10)),
    "text": frozen(TEXT, ("e", TEXT_E), ("l", TEXT_L), ("d", TEXT_D)),
}
HEADS = {
    "mlp": frozen(MLP, ("y", MLP_2)),
    "cnn": frozen(CNN, ("d", DENSE_10)),
    "text": frozen(TEXT, ("d", TEXT_D)),
}
HEAVY = {
    "adam": compiled(WIDE, "adam", sized("keras", 12_100_000)),
    "momentum": compiled(WIDE_TEXT, "sgd momentum=0.9", sized("keras-h5", 25_800_000)),
    "rmsprop": compiled(WIDE_CNN, "rmsprop", sized("keras", 3_000_000)),
}
IMPOSSIBLE = ("adam beta_1=1.0", "rmsprop rho=1.0", "sgd learning_rate=-0.1")
UNUSUAL = ("adam learning_rate=0.5", "sgd learning_rate=20.0", "nadam learning_rate=1e-9")

_DECAY = "learning_rate=ExponentialDecay schedule_initial_learning_rate"
_WARM = "learning_rate=CosineDecay schedule_initial_learning_rate=0.0 schedule_decay_steps=900"
LOST = (
    f"adam {_DECAY}=0.01 schedule_decay_steps=10 schedule_decay_rate=0.01",
    f"rmsprop {_DECAY}=0.001 schedule_decay_steps=1000 schedule_decay_rate=1.5",
    "sgd learning_rate=CosineDecay schedule_initial_learning_rate=0.1 schedule_decay_steps=30",
)
STEEP = (
    f"adam {_DECAY}=2.0 schedule_decay_steps=1000 schedule_decay_rate=0.9",
    "rmsprop learning_rate=PolynomialDecay schedule_initial_learning_rate=0.5 schedule_decay_steps=1000",
    f"adam {_WARM} schedule_warmup_target=0.5",
)

FAULTS = [
    *everywhere("impossible-optimizer-setting", *LOST),
    *everywhere("unusual-learning-rate", *STEEP),
    *everywhere("impossible-optimizer-setting", *IMPOSSIBLE),
    *everywhere("unusual-learning-rate", *UNUSUAL),
    *(("nothing-trainable", name, compiled(network, "adam")) for name, network in LOCKED.items()),
    *(("frozen-head", name, compiled(network, "sgd")) for name, network in HEADS.items()),
    *(("optimizer-state-in-file", name, text) for name, text in HEAVY.items()),
    ("live-norm-in-frozen-backbone", "relu", backbone("32,32,3", "Relu")),
    ("live-norm-in-frozen-backbone", "channels first", backbone("3,32,32", "Relu", " channel_axis=1")),
    ("live-norm-in-frozen-backbone", "swish", backbone("64,64,3", "Swish")),
]
"""(rule, name, model) of every planted fault."""

MISSED: list[tuple[str, str]] = []
"""(rule, name) of those that are known to be missed."""
