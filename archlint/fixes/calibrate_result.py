"""What a calibration showed, for who writes it down."""

from __future__ import annotations

from archlint.dataclass import dataclass
from archlint.findings import Totals


@dataclass(frozen=True, slots=True)
class Trial:
    """One variant: its name, what became of the hidden layers, its agreement, and the whole model with it.

    ``reason`` says why it was passed over although it is small and agrees enough.
    """

    name: str
    hidden: str
    agreement: float
    params: int
    macs: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a calibration showed: all ``trials``, the ``winner`` and where it was written, or neither.

    ``measure`` is the kind of agreement ("classes", "labels", "numbers"), ``held`` the number of samples it
    was measured on, ``proven`` the agreement of the written file as its own runtime ran it.
    """

    path: str
    samples: str
    measure: str
    held: int
    least: float
    before: Totals
    trials: tuple[Trial, ...]
    winner: Trial | None = None
    out: str | None = None
    proven: float | None = None
    runtime: str | None = None
