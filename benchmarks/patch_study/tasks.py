"""Seven small tasks from data that ships inside packages: samples, labels, and what they ask of a head.

scikit-learn has the digits and two photographs, aeon two sets of series.
Nothing is downloaded, and aeon is not imported: its files are read as they lie in the installed package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FRAME = 24
"""Height and width of every image."""

MIDDLE = (FRAME - 8) // 2
"""Where an 8×8 digit stands that is centred."""


@dataclass(frozen=True)
class Task:
    """Images (N, 24, 24, C) in [0, 1] or series (N, T, C) with labels, for training and for judging.

    The two never share an original.
    """

    name: str
    about: str
    train: tuple[NDArray, NDArray]
    test: tuple[NDArray, NDArray]


def _digits() -> tuple[tuple[NDArray, NDArray], tuple[NDArray, NDArray]]:
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    images, labels = found.images[order].astype("float32") / 16, found.target[order]
    return (images[:1300], labels[:1300]), (images[1300:], labels[1300:])


def _placed(images: NDArray, source: np.random.Generator, most: int = MIDDLE) -> tuple[NDArray, NDArray]:
    """The 8×8 digits in a frame, at most so far from its middle; and the quarter in which each stands."""
    out = np.zeros((len(images), FRAME, FRAME, 1), "float32")
    places = MIDDLE + source.integers(-most, most + 1, (len(images), 2))
    for image, frame, (top, left) in zip(images, out, places, strict=True):
        frame[top : top + 8, left : left + 8, 0] = image
    return out, (places[:, 0] > MIDDLE) * 2 + (places[:, 1] > MIDDLE)


def _shifted(name: str, about: str, most: int, copies: int) -> Task:
    (x, y), (u, v) = _digits()
    source = np.random.default_rng(1)
    many = np.concatenate([_placed(x, source, most)[0] for _ in range(copies)])
    return Task(name, about, (many, np.tile(y, copies)), (_placed(u, source, most)[0], v))


def centred() -> Task:
    """Digits that always stand in the middle."""
    return _shifted("centred digits", "digits, always in the middle", 0, 1)


def jittered() -> Task:
    """Digits up to three pixels from the middle, as augmentation has them; three places for each."""
    return _shifted("jittered digits", "digits, up to 3 px from the middle", 3, 3)


def shifted() -> Task:
    """Digits that stand anywhere; three places for each in training."""
    return _shifted("shifted digits", "digits, anywhere", MIDDLE, 3)


def quadrant() -> Task:
    """In which quarter of the frame a digit stands, whichever it is."""
    (x, _), (u, _) = _digits()
    source = np.random.default_rng(2)
    return Task("quadrant", "in which quarter a digit stands", _placed(x, source), _placed(u, source))


def texture() -> Task:
    """Patches of two photographs, a temple and a flower; the left halves train, the right ones judge."""
    from sklearn.datasets import load_sample_images

    source = np.random.default_rng(3)
    parts: list[tuple[list[NDArray], list[int]]] = [([], []), ([], [])]
    for label, photo in enumerate(load_sample_images().images):
        middle = photo.shape[1] // 2
        for (images, labels), half, count in zip(
            parts, (photo[:, :middle], photo[:, middle:]), (1000, 300), strict=True
        ):
            for _ in range(count):
                top = source.integers(0, half.shape[0] - FRAME)
                left = source.integers(0, half.shape[1] - FRAME)
                images.append(half[top : top + FRAME, left : left + FRAME])
                labels.append(label)
    train, test = ((np.stack(i).astype("float32") / 255, np.array(n)) for i, n in parts)
    return Task("texture", "patches of two photographs", train, test)


def demand() -> Task:
    """Electricity that Italy used in the hours of a day: from October to March, or from April to September.

    The package's small set for training and its large one for judging are put together and parted anew.
    """
    parts = [_series("ItalyPowerDemand", f"ItalyPowerDemand_{part}") for part in ("TRAIN", "TEST")]
    series, labels = (np.concatenate(both) for both in zip(*parts, strict=True))
    order = np.random.default_rng(5).permutation(len(labels))
    train, test = order[:730], order[730:]
    return Task(
        "power demand", "a day, by the hour", (series[train], labels[train]), (series[test], labels[test])
    )


def vowels() -> Task:
    """Which of nine men says two vowels: 12 coefficients of linear prediction at 25 times."""
    train, test = (_series("JapaneseVowels", f"JapaneseVowels_eq_{part}") for part in ("TRAIN", "TEST"))
    return Task("speakers", "who says two vowels", _mixed(train), test)


def _mixed(pair: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray]:
    """The same in another order: training stops by the last part, and heads are fitted to the first."""
    order = np.random.default_rng(6).permutation(len(pair[1]))
    return pair[0][order], pair[1][order]


def _series(folder: str, name: str) -> tuple[NDArray, NDArray]:
    """The series (N, T, C) of one of aeon's ``.ts`` files, and labels from 0.

    A line is a series: channels parted by colons, numbers by commas, the label last.
    Source: the files, whose heads name these parts.
    """
    spec = find_spec("aeon")
    assert spec is not None, "aeon is not installed"
    assert spec.origin is not None
    path = Path(spec.origin).with_name("datasets").joinpath("data", folder, f"{name}.ts")
    lines = [line.split(":") for line in path.read_text().splitlines() if line and line[0] not in "@#"]
    series = [[channel.split(",") for channel in channels] for *channels, _ in lines]
    return np.array(series, "float32").transpose(0, 2, 1), np.array([int(label) - 1 for *_, label in lines])


TASKS: Mapping[str, Callable[[], Task]] = {
    "centred": centred,
    "jittered": jittered,
    "shifted": shifted,
    "quadrant": quadrant,
    "texture": texture,
    "demand": demand,
    "vowels": vowels,
}
"""Name → what makes it."""
