"""The tensors that a layer keeps in place of its kernel under a quantised dtype policy.

Source: ``quantized_build`` of Dense, EinsumDense and Embedding in Keras 3.15,
https://github.com/keras-team/keras/tree/master/keras/src/layers/core; what Keras 3.11 to 3.13 did
differently was measured with those versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from archlint.dataclass import dataclass
from archlint.graph import Dim, Param

PER_CHANNEL = -1
"""Block size that stands for one scale per channel, as Keras writes it."""

AMAX_HISTORY = 1024
"""Length of float8's history of largest values unless the policy states it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a layer keeps its kernel: ``mode`` int8, int4, float8, gptq or awq.

    ``block`` is how many inputs share a scale. ``packed_first`` says that int4 packs two inputs in a byte
    (Keras 3.11 to 3.13) and not two channels; None when the file does not tell.
    """

    mode: str
    bits: int = 8
    block: int = PER_CHANNEL
    packed_first: bool | None = False
    history: int = AMAX_HISTORY


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel as the layer would keep it unquantised, and the axes of it that are summed over.

    ``scaled`` says for each axis of its scales which axis of the kernel it follows; None: it has length 1.
    """

    param: Param
    reduced: tuple[int, ...]
    scaled: tuple[int | None, ...]

    @property
    def shape(self) -> tuple[Dim, ...]:
        """The shape that the op gives it."""
        return self.param.shape or ()

    @property
    def scales(self) -> tuple[Dim, ...]:
        """Shape of the scales when there is one per channel."""
        return tuple(1 if axis is None else self.shape[axis] for axis in self.scaled)

    @property
    def rows(self) -> Dim:
        """Inputs that one channel sums over."""
        return _product([dim for axis, dim in enumerate(self.shape) if axis in self.reduced])

    @property
    def columns(self) -> Dim:
        """Channels."""
        return _product([dim for axis, dim in enumerate(self.shape) if axis not in self.reduced])

    def scale(self, shape: Sequence[Dim]) -> Param:
        """What its values are multiplied with."""
        return self.beside(f"{self._word}_scale", shape)

    def zero(self, shape: Sequence[Dim], dtype: str) -> Param:
        """The value that stands for zero."""
        return self.beside(f"{self._word}_zero", shape, dtype)

    @property
    def _word(self) -> str:
        return self.param.role.rpartition("_")[2]

    def beside(self, word: str, shape: Sequence[Dim], dtype: str = "", trainable: bool = False) -> Param:
        """A tensor that the layer keeps next to the kernel."""
        role = self.param.role.removesuffix(self._word) + word
        name = f"{self.param.name.rpartition('/')[0]}/{role}"
        return Param(name, role, tuple(shape), dtype or self.param.dtype, trainable)


def _int8(kernel: Kernel, policy: Policy) -> Iterator[Param]:
    yield replace(kernel.param, dtype="int8", trainable=False)
    yield kernel.scale(kernel.scales)


def _int4(kernel: Kernel, policy: Policy) -> Iterator[Param]:
    """Two values in a byte; with a block size also a zero point per block, and the block of each input."""
    if kernel.param.role == "embeddings":
        yield from _int4_rows(kernel, policy)
        return
    if policy.packed_first is not False:
        yield from _int4_inputs(kernel, policy)
        return
    packed = (kernel.rows, half(kernel.columns))
    yield replace(kernel.param, shape=packed, dtype="int8", trainable=False)
    if policy.block == PER_CHANNEL:
        yield kernel.scale((kernel.columns,))
        return
    groups = groups_of(kernel.rows, policy.block)
    yield kernel.scale((groups, kernel.columns))
    yield kernel.zero((groups, kernel.columns), "int8")
    yield kernel.beside("g_idx", (kernel.rows,), "float32")


def _int4_inputs(kernel: Kernel, policy: Policy) -> Iterator[Param]:
    """As Keras 3.11 to 3.13 packed: the first axis that is summed over; unknown when that may not be so."""
    first = kernel.reduced[0]
    packed: tuple[Dim, ...] = tuple(half(n) if axis == first else n for axis, n in enumerate(kernel.shape))
    if policy.packed_first is None:
        packed = (None,) * len(packed)
    yield replace(kernel.param, shape=packed, dtype="int8", trainable=False)
    yield kernel.scale(kernel.scales if policy.packed_first else (None,) * len(kernel.scales))


def _int4_rows(kernel: Kernel, policy: Policy) -> Iterator[Param]:
    """An Embedding: its width is packed and cut into blocks, one scale per row and block."""
    rows, width = kernel.shape
    yield replace(kernel.param, shape=(rows, half(width)), dtype="int8", trainable=False)
    if policy.block == PER_CHANNEL:
        yield kernel.scale((rows,))
        return
    groups = groups_of(width, policy.block)
    yield kernel.scale((rows, groups))
    yield kernel.zero((rows, groups), "int8")
    yield kernel.beside("g_idx", (width,), "float32")


def _float8(kernel: Kernel, policy: Policy) -> Iterator[Param]:
    """The kernel stays as it is; scales and histories are overwritten as training goes, so count as trained.

    Source: Micikevicius et al. 2022, arXiv:2209.05433, with delayed scaling.
    """
    trainable = kernel.param.trainable
    yield kernel.param
    if kernel.param.role == "embeddings":
        return
    for part in ("inputs", "kernel", "outputs_grad"):
        yield kernel.beside(f"{part}_scale", (), "float32", trainable)
        yield kernel.beside(f"{part}_amax_history", (policy.history,), "float32", trainable)


def _grouped(kernel: Kernel, policy: Policy) -> Iterator[Param]:
    """GPTQ and AWQ: channels by inputs in bytes, scales and zero points per channel and block of inputs.

    Sources: Frantar et al. 2022, arXiv:2210.17323; Lin et al. 2023, arXiv:2306.00978.
    """
    rows, columns = _matrix(kernel)
    groups = groups_of(rows, policy.block) if policy.block != PER_CHANNEL else 1
    packed = (half(columns) if policy.bits == 4 else columns, rows)
    yield replace(kernel.param, shape=packed, dtype="uint8", trainable=False)
    yield kernel.scale((columns, groups))
    yield kernel.zero((columns, groups), "uint8")
    if policy.mode == "awq":
        yield kernel.beside("awq_scales", (rows,))
    yield kernel.beside("g_idx", (rows,), "float32")


def _matrix(kernel: Kernel) -> tuple[Dim, Dim]:
    """Inputs and channels as Keras's GPTQ tells them: by where the longest of three axes stands."""
    shape = kernel.shape
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) != 3 or not all(isinstance(dim, int) for dim in shape):
        return None, None
    sizes = [dim for dim in shape if isinstance(dim, int)]
    if sizes.index(max(sizes)) == 0:
        return sizes[0], sizes[1] * sizes[2]
    return sizes[0] * sizes[1], sizes[2]


STORED: Mapping[str, Callable[[Kernel, Policy], Iterator[Param]]] = {
    "awq": _grouped,
    "float8": _float8,
    "gptq": _grouped,
    "int4": _int4,
    "int8": _int8,
}
"""Mode of a quantised policy → the tensors in place of a kernel, it first."""


def reversed_table(table: Param, policy: Policy | None) -> tuple[Param, ...]:
    """A ReversibleEmbedding's own table for the way back, (width, rows), with its scales and zero points."""
    if policy is None or policy.mode not in ("int8", "int4") or table.shape is None:
        return (table,)
    width, rows = table.shape
    prefix = f"{table.name.rpartition('/')[0]}/reverse_embeddings"
    blocks = policy.mode == "int4" and policy.block != PER_CHANNEL
    scales = (groups_of(width, policy.block), rows) if blocks else (rows,)
    kept = width if policy.mode == "int8" else half(width)
    names = ("scale", "zero") if blocks else ("scale",)
    return (
        replace(table, shape=(kept, rows), dtype="int8", trainable=False),
        *(
            Param(f"{prefix}_{name}", f"reverse_embeddings_{name}", scales, table.dtype, False)
            for name in names
        ),
    )


def half(dim: Dim) -> Dim:
    """Bytes that hold this many values of four bits."""
    return (dim + 1) // 2 if isinstance(dim, int) else None


def groups_of(dim: Dim, block: int) -> Dim:
    """Blocks that inputs fall into; the last may be short."""
    return -(-dim // block) if isinstance(dim, int) and block > 0 else None


def _product(dims: Sequence[Dim]) -> Dim:
    total = 1
    for dim in dims:
        if not isinstance(dim, int):
            return None
        total *= dim
    return total
