"""Models that look like a fault of a head or an output, and are meant: no error and no warning."""

import pytest

from archlint.engine import load, run
from archlint.engine.rule import RuleSet
from archlint.facts import Facts
from archlint.graph import parse
from archlint.ops import build

RULES = RuleSet(tuple(rule for rule in load() if rule.family in ("head", "output")))

IMAGE = "input x float32[N,64,64,3]\nc = Conv(x) filters=32 kernel=(3,3)\nr = Relu(c)\n"
TABLE = "input x float32[N,20]\nh = Dense(x) units=32\nr = Relu(h)\n"
STEPS = "input x float32[N,50,8]\nl = LSTM(x) units=32 return_sequences=true\n"

TWINS = {
    "several labels per image": f"""
        loss binary_crossentropy
        metric accuracy
        metric auc multi_label=true
        {IMAGE}p = GlobalAveragePool(r)
        d = Dense(p) units=20
        s = Sigmoid(d)
        output s""",
    "Brier score of one event": f"""
        loss mean_squared_error
        metric accuracy
        {TABLE}d = Dense(r) units=1
        s = Sigmoid(d)
        output s""",
    "Brier score of classes": f"""
        loss mean_squared_error
        metric accuracy
        {TABLE}d = Dense(r) units=5
        s = Softmax(d)
        output s""",
    "least-squares discriminator": """
        loss mean_squared_error
        metric accuracy
        input x float32[N,64,64,3]
        c = Conv(x) filters=32 kernel=(4,4) strides=(2,2)
        r = LeakyRelu(c)
        f = Flatten(r)
        d = Dense(f) units=1
        output d""",
    "patch discriminator": """
        loss mean_squared_error
        metric accuracy
        input x float32[N,64,64,3]
        c = Conv(x) filters=32 kernel=(4,4) strides=(2,2)
        r = Relu(c)
        d = Conv(r) filters=1 kernel=(4,4)
        output d""",
    "images from 0 to 1": f"""
        loss binary_crossentropy
        {IMAGE}t = ConvTranspose(r) filters=3 kernel=(3,3)
        s = Sigmoid(t)
        output s""",
    "images from -1 to 1": f"""
        loss mean_absolute_error
        {IMAGE}t = ConvTranspose(r) filters=3 kernel=(3,3)
        s = Tanh(t)
        output s""",
    "prices from 0 up": f"""
        loss mean_squared_error
        {TABLE}d = Dense(r) units=1
        p = Relu(d)
        output p""",
    "counts by their rate": f"""
        loss poisson
        {TABLE}d = Dense(r) units=1
        p = Exp(d)
        output p""",
    "evidence for classes": f"""
        loss evidential_loss custom
        {TABLE}d = Dense(r) units=5
        p = Relu(d)
        output p""",
    "policy and value": f"""
        loss categorical_crossentropy @0
        loss mean_squared_error @1
        {TABLE}d = Dense(r) units=5
        s = Softmax(d)
        v = Dense(r) units=1
        t = Tanh(v)
        output s t""",
    "labels per pixel": f"""
        loss sparse_categorical_crossentropy
        metric accuracy
        {IMAGE}t = ConvTranspose(r) filters=32 kernel=(3,3)
        d = Dense(t) units=4
        s = Softmax(d)
        output s""",
    "labels per step": f"""
        loss sparse_categorical_crossentropy
        metric accuracy
        {STEPS}d = Dense(l) units=9
        s = Softmax(d)
        output s""",
    "one number per step": f"""
        loss mean_squared_error
        {STEPS}d = Dense(l) units=1
        output d""",
    "labels per window of a signal": """
        loss sparse_categorical_crossentropy
        input x float32[N,128,9]
        c = Conv(x) filters=32 kernel=(3) padding=same
        p = MaxPool(c) kernel=(4) strides=(4)
        d = Dense(p) units=6
        s = Softmax(d)
        output s""",
    "transcription": f"""
        loss ctc
        {STEPS}d = Dense(l) units=30
        output d""",
    "logits and metrics that know it": f"""
        loss sparse_categorical_crossentropy from_logits=true
        metric accuracy
        metric sparse_top_k_categorical_accuracy k=3
        {TABLE}d = Dense(r) units=10
        output d""",
    "a logit with a threshold of 0": f"""
        loss binary_crossentropy from_logits=true
        metric binary_accuracy threshold=0.0
        metric precision thresholds=0
        metric auc from_logits=true
        {TABLE}d = Dense(r) units=1
        output d""",
    "attention weights next to scores": """
        loss binary_crossentropy @0
        input x float32[N,50,8]
        e = Dense(x) units=1
        a = Softmax(e) axis=1
        m = Mul(x, a)
        s = ReduceSum(m) axes=(1) keepdims=false
        d = Dense(s) units=1
        o = Sigmoid(d)
        output o a""",
    "teacher's shares": f"""
        loss kl_divergence
        {TABLE}d = Dense(r) units=10
        s = Softmax(d)
        output s""",
    "boxes from units that see the image": """
        loss huber
        input x float32[N,32,32,3]
        c = Conv(x) filters=32 kernel=(7,7) strides=(2,2) padding=same
        r = Relu(c)
        e = Conv(r) filters=32 kernel=(7,7) strides=(2,2) padding=same
        q = Conv(e) filters=32 kernel=(5,5) padding=same
        p = GlobalAveragePool(q)
        boxes = Dense(p) units=4
        output boxes""",
    "an age": f"""
        loss mean_absolute_error
        {IMAGE}p = GlobalAveragePool(r)
        d = Dense(p) units=1
        output d""",
    "margin in cosines": f"""
        loss categorical_crossentropy
        {TABLE}n = UnitNormalization(r)
        d = Dense(n) units=10 use_bias=false
        k = Rescaling(d) scale=30.0
        s = Softmax(k)
        output s""",
    "a class per channel, channels in front": """
        loss sparse_categorical_crossentropy axis=1
        input x float32[N,3,32,32]
        c = Conv(x) filters=8 kernel=(3,3) padding=same channel_axis=1
        d = Conv(c) filters=4 kernel=(1,1) channel_axis=1
        s = Softmax(d) axis=1
        output s""",
}


@pytest.mark.parametrize("name", TWINS)
def test_a_deliberate_model_gets_no_warning(name):
    text = "\n".join(line.strip() for line in TWINS[name].splitlines())
    outcome = run(RULES, Facts(build(parse(text))))
    assert [] == [(f.rule, f.message) for f in outcome.findings if f.severity != "info"]
    assert () == outcome.crashes
