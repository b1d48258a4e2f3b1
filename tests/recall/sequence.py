"""Faults of recurrent layers, attention and masks, in networks of different build."""


def plain(text):
    """Without the common indentation of a triple-quoted model."""
    lines = text.strip("\n").rstrip().splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines)


WORDS = """
input words int32[N,40]
e = Embedding<Embedding embedding>(words) input_dim=2000 output_dim=32{mask}
"""
SERIES = """
input series float32[N,100,6]
e = Dense(series) units=32
"""
SOUND = """
input wave float32[N,2000,1]
c = Conv(wave) filters=32 kernel=(9) strides=(4)
e = Relu(c)
"""
TORCH = """
input series float32[100,N,6]
l = {cell}(series) units=24 direction=bidirectional time_axis=0 merge_mode=stack return_sequences=true
t = Transpose(l) perm=(0,2,1,3)
r = Reshape(t) shape=(100,-1,48)
"""

SOURCES = {"words": WORDS.replace("{mask}", ""), "series": SERIES, "sound": SOUND}


def on_sequences(rule, snippet):
    for name, source in SOURCES.items():
        yield rule, name, plain(source) + "\n" + plain(snippet)


def on_masked_words(rule, name, snippet):
    return rule, name, plain(WORDS.replace("{mask}", " mask_zero=true")) + "\n" + plain(snippet)


def on_words(rule, name, snippet, head=""):
    return rule, name, head + plain(WORDS.replace("{mask}", "")) + "\n" + plain(snippet)


LAST = (
    "s = Slice(l) starts=(-1) ends=(2147483647) axes=(1)\nq = Squeeze(s) axes=(1)\n"
    "y = Dense(q) units=3\noutput y"
)
PICK = "i = Constant() | value int64[] frozen =(-1)\n"
LOSS = "loss sparse_categorical_crossentropy output=0 from_logits=true\n"

CELL = """
input x float32[12,N,8]
input h float32[N,16]
m = Constant() | value int64[] frozen =(12)
go = Constant() | value bool[] frozen =(true)
y = Loop(m, go, h)
  body body
    input i int64[]
    input g bool[]
    input s float32[N,16]
    t = Gather(x, i) axis=0
    j = Concat(t, s) axis=1
    {cell}
    output g n
output y
"""


def loop(cell):
    return CELL.replace("{cell}", "\n    ".join(cell.strip().splitlines()))


FAULTS = [
    *on_sequences(
        "slow-recurrent-kernel", "l = LSTM(e) units=24 activation=relu\ny = Dense(l) units=3\noutput y"
    ),
    on_words(
        "slow-recurrent-kernel",
        "old gates",
        "l = GRU(e) units=24 recurrent_activation=hard_sigmoid\noutput l",
    ),
    on_words(
        "slow-recurrent-kernel",
        "both ways",
        "l = LSTM(e) units=24 unroll=true direction=bidirectional\noutput l",
    ),
    *on_sequences("unused-sequence-output", "l = GRU(e) units=24 return_sequences=true\n" + LAST),
    *on_sequences(
        "last-step-of-both-directions",
        "l = LSTM(e) units=24 return_sequences=true direction=bidirectional\n" + LAST,
    ),
    *(
        (
            "last-step-of-both-directions",
            f"torch {cell} {name}",
            plain(TORCH.replace("{cell}", cell)) + "\n" + plain(tail),
        )
        for cell in ("LSTM", "GRU")
        for name, tail in {
            "time first": "s = Slice(r) starts=(-1) ends=(9223372036854775807) axes=(0)\noutput s",
            "batch first": "b = Transpose(r) perm=(1,0,2)\n" + PICK + "s = Gather(b, i) axis=1\noutput s",
        }.items()
    ),
    on_masked_words(
        "dropped-mask",
        "text cnn",
        "c = Conv(e) filters=32 kernel=(5)\nr = Relu(c)\np = GlobalMaxPool(r)\n"
        "d = Dense(p) units=2\noutput d",
    ),
    on_masked_words(
        "dropped-mask", "flattened", "d = Dense(e) units=8\nf = Flatten(d)\ny = Dense(f) units=2\noutput y"
    ),
    on_masked_words(
        "dropped-mask",
        "pool in front of a lstm",
        "o = SpatialDropout(e) rate=0.2\np = MaxPool(o) kernel=(2) strides=(2)\n"
        "l = LSTM(p) units=8\noutput l",
    ),
    on_masked_words(
        "dropped-mask",
        "rms norm in front of attention",
        "n = RMSNormalization(e)\na = MultiHeadAttention(n, n) num_heads=2 key_dim=16 value_dim=16\noutput a",
    ),
    on_words(
        "attention-without-order",
        "encoder",
        """
        n = LayerNormalization(e)
        a = MultiHeadAttention(n, n) num_heads=4 key_dim=8 value_dim=8
        s = Add(e, a)
        f = Dense(s) units=64
        g = Gelu(f)
        k = Dense(g) units=32
        t = Add(s, k)
        p = GlobalMaxPool(t)
        y = Dense(p) units=2
        output y
        """,
    ),
    on_words(
        "attention-without-order",
        "torch heads",
        """
        q0 = Dense(e) units=32 kernel_transposed=true
        q1 = Reshape(q0) shape=(0,40,4,8)
        q = Transpose(q1) perm=(0,2,1,3)
        k0 = Dense(e) units=32 kernel_transposed=true
        k1 = Reshape(k0) shape=(0,40,4,8)
        k = Transpose(k1) perm=(0,2,1,3)
        v0 = Dense(e) units=32 kernel_transposed=true
        v1 = Reshape(v0) shape=(0,40,4,8)
        v = Transpose(v1) perm=(0,2,1,3)
        a = Attention(q, k, v)
        b = Transpose(a) perm=(0,2,1,3)
        c = Reshape(b) shape=(0,40,32)
        p = ReduceMean(c) axes=(1) keepdims=false
        output p
        """,
    ),
    on_words(
        "attention-without-order",
        "tagger",
        "o = Dropout(e) rate=0.1\na = Attention(o, o, o) layout=btd\n"
        "y = Dense(a) units=17\ns = Softmax(y)\noutput s",
    ),
    on_words(
        "next-word-without-causal-mask",
        "one block",
        "a = MultiHeadAttention(e, e) num_heads=2 key_dim=16 value_dim=16\ny = Dense(a) units=2000\noutput y",
        LOSS,
    ),
    on_words(
        "next-word-without-causal-mask",
        "two blocks",
        """
        n = LayerNormalization(e)
        a = MultiHeadAttention(n, n) num_heads=4 key_dim=8 value_dim=8
        s = Add(a, e)
        m = LayerNormalization(s)
        b = MultiHeadAttention(m, m) num_heads=4 key_dim=8 value_dim=8
        t = Add(b, s)
        y = Dense(t) units=2000
        output y
        """,
        LOSS,
    ),
    on_words(
        "next-word-without-causal-mask",
        "tied table",
        """
        n = RMSNormalization(e)
        a = MultiHeadAttention(n, n) num_heads=4 key_dim=8 value_dim=8
        y = Dense(a) units=2000 use_bias=false
        p = Softmax(y)
        output p
        """,
        "loss sparse_categorical_crossentropy output=0\n",
    ),
    *on_sequences(
        "odd-head-size",
        "a = MultiHeadAttention(e, e) num_heads=4 key_dim=32 value_dim=32\ns = Add(a, e)\noutput s",
    ),
    on_words(
        "odd-head-size",
        "thin heads",
        "a = MultiHeadAttention(e, e) num_heads=16 key_dim=2 value_dim=2\noutput a",
    ),
    (
        "cell-in-a-loop",
        "lstm",
        loop(
            "p = Dense(j) units=64\na, b, c, d = Split(p) axis=1 num_outputs=4\n"
            "u = Sigmoid(a)\nv = Sigmoid(b)\nw = Sigmoid(c)\nx1 = Tanh(d)\nk = Mul(u, x1)\n"
            "z = Mul(v, k)\nn = Mul(w, z)"
        ),
    ),
    (
        "cell-in-a-loop",
        "gru",
        loop(
            "a = Dense(j) units=16\nu = Sigmoid(a)\nb = Dense(j) units=16\nr = Sigmoid(b)\n"
            "k = Mul(r, s)\nc = Dense(k) units=16\nv = Tanh(c)\nn = Mul(u, v)"
        ),
    ),
    (
        "cell-in-a-loop",
        "old gates",
        loop(
            "a = Dense(j) units=16\nu = HardSigmoid(a)\nb = Dense(j) units=16\n"
            "r = HardSigmoid(b)\nv = Tanh(b)\nk = Mul(r, v)\nn = Mul(u, k)"
        ),
    ),
]


def keras_wrapped():
    import keras

    wrap, layers = keras.layers.TimeDistributed, keras.layers
    rows = [layers.Input((9, 4)), layers.LSTM(8, return_sequences=True), wrap(layers.Dense(3))]
    return keras.Sequential([*rows, wrap(layers.Activation("tanh"))])


def keras_wrapped_dropout():
    import keras

    layers = keras.layers
    rows = [layers.Input((None, 4)), layers.TimeDistributed(layers.Dropout(0.1)), layers.GRU(3)]
    return keras.Sequential(rows)


def keras_wrapped_decoder():
    import keras

    layers = keras.layers
    rows = [layers.Input((6,)), layers.RepeatVector(5), layers.LSTM(8, return_sequences=True)]
    return keras.Sequential([*rows, layers.TimeDistributed(layers.Dense(2, activation="relu"))])


def keras_positions():
    import keras

    layers = keras.layers
    words, places = keras.Input((12,), dtype="int32"), keras.Input((12,), dtype="int32")
    held = layers.Embedding(50, 16, mask_zero=True)(words)
    both = layers.Add()([held, layers.Embedding(12, 16)(places)])
    out = layers.MultiHeadAttention(2, 8)(both, both)
    return keras.Model([words, places], layers.GlobalAveragePooling1D()(out))


def keras_last_step():
    import keras

    layers = keras.layers
    words = keras.Input((12,))
    held = layers.Embedding(50, 16)(words)
    steps = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(held)
    return keras.Model(words, layers.Dense(2)(steps[:, -1]))


FAULTS += [
    ("needless-time-distributed", "keras tagger", keras_wrapped),
    ("needless-time-distributed", "keras dropout", keras_wrapped_dropout),
    ("needless-time-distributed", "keras decoder", keras_wrapped_decoder),
    ("dropped-mask", "keras positions", keras_positions),
    ("last-step-of-both-directions", "keras", keras_last_step),
]

LONE = {
    "pooled image": """
input image float32[N,32,32,3]
c = Conv(image) filters=64 kernel=(3,3) padding=same
p = GlobalAveragePool(c)
r = Reshape(p) shape=(0,1,64)
m = MultiHeadAttention(r, r) num_heads=4 key_dim=16
output m
""",
    "tabular": """
input x float32[N,1,30]
d = Dense(x) units=32
m = MultiHeadAttention(d, d) num_heads=2 key_dim=16
a = Add(d, m)
output a
""",
    "one memory": """
input words int32[N,40]
input topic float32[N,1,64]
e = Embedding(words) input_dim=5000 output_dim=64
m = MultiHeadAttention(e, topic) num_heads=4 key_dim=16
output m
""",
}

LOOKUPS = {
    "categories": "StringLookup(x) num_tokens=33",
    "hashes": "Hashing(x) num_tokens=1000",
    "bins": "Discretization(x) num_tokens=40",
}

FRACTIONS = {
    "divided": "Rescaling(x) scale=0.0001",
    "standardized": "Normalization(x)",
    "squashed": "Sigmoid(x)",
}

LATE = {
    "dense": ("d = Dense(x) units=32\nh = Relu(d)", "-1.0"),
    "standardized": ("h = Normalization(x)", "0.0"),
    "convolved": ("h = Conv(x) filters=16 kernel=(3) padding=same", "0.0"),
}

FAULTS += [
    *(("attention-over-one-step", name, text) for name, text in LONE.items()),
    *(
        (
            "embedding-smaller-than-vocabulary",
            name,
            f"input x float32[N,6]\nw = {lookup}\ne = Embedding(w) input_dim=32 output_dim=8\n"
            "g = GlobalAveragePool(e)\noutput g\n",
        )
        for name, lookup in LOOKUPS.items()
    ),
    *(
        (
            "embedding-of-scaled-numbers",
            name,
            f"input x float32[N,80]\ns = {made}\ne = Embedding(s) input_dim=9000 output_dim=32\n"
            "l = GRU(e) units=16\noutput l\n",
        )
        for name, made in FRACTIONS.items()
    ),
    *(
        (
            "mask-of-computed-steps",
            name,
            f"input x float32[N,60,12]\n{layer}\nm = Masking(h) mask_value={value}\nl = LSTM(m) units=24\n"
            "output l\n",
        )
        for name, (layer, value) in LATE.items()
    ),
]

MISSED = []
