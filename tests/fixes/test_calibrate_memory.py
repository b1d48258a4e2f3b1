"""A fit to many samples takes no more memory than one to few."""

import tracemalloc

import numpy as np
from rewrite_cases import built

from archlint.facts import Facts
from archlint.fixes import calibrate_blocks
from archlint.fixes.calibrate import Calibration
from archlint.fixes.calibrate_head import head_of

TEXT = """model m format=keras
input x float32[N,8,8,1]
c = Conv<Conv2D c>(x) filters=4 kernel=(3,3)
f = Flatten<Flatten f>(c)
d = Dense<Dense d>(f) units=8
d/relu = Relu<Dense d>(d)
e = Dense<Dense e>(d/relu) units=4
e/softmax = Softmax<Dense e>(e)
output e/softmax
"""
WIDTH = 6 * 6 * 4


class Stored:
    """The weights of the model, by the names of their params."""

    def __init__(self, graph):
        random = np.random.default_rng(0)
        params = [param for node in graph.nodes for param in node.params]
        self.arrays = {param.name: random.normal(size=param.shape) / 20 for param in params}

    def read(self, param):
        return self.arrays[param.name]


def in_files(folder, facts, stored, count):
    """What Flatten gives and what the last dense layer reads, in files, for made-up samples."""
    flat = np.lib.format.open_memmap(folder / "flat.npy", "w+", np.float32, (count, WIDTH))
    last = np.lib.format.open_memmap(folder / "last.npy", "w+", np.float32, (count, 8))
    kernel, bias = (stored.read(param) for param in facts.graph.by_name["d"].params)
    for at in range(0, count, 500):
        block = np.random.default_rng(at).normal(size=(min(500, count - at), WIDTH)).astype("float32")
        flat[at : at + 500] = block
        last[at : at + 500] = np.maximum(block @ kernel + bias, 0)
    return flat, last


def peak_bytes(folder, count):
    """The most memory that arrays took while all variants were fitted; how many there were."""
    facts = Facts(built(TEXT))
    stored = Stored(facts.graph)
    flat, last = in_files(folder, facts, stored, count)
    tracemalloc.start()
    try:
        made = sum(1 for _ in Calibration(facts, stored, head_of(facts), flat, last).fitted())
        return tracemalloc.get_traced_memory()[1], made
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(calibrate_blocks, "BLOCK_NUMBERS", 2**14)
    few, variants = peak_bytes(tmp_path, 500)
    many, same = peak_bytes(tmp_path, 2_500)
    assert variants == same > 10
    # 2,000 more samples are 2.3 MB as float64; their indices and the outputs of those held out are 0.2 MB.
    assert many < few + 2**20
