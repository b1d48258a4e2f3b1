"""Options that several commands share: where rules and settings come from, and how rules are set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import IO, TYPE_CHECKING, TypeVar, cast

import click

from archlint.dataclass import dataclass

if TYPE_CHECKING:
    from archlint.engine import RuleSet
    from archlint.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., object])


def rule_folders(command: _Command) -> _Command:
    """The options that say where rules and settings come from; they arrive as one ``source``."""

    @wraps(command)
    def with_source(folders: tuple[str, ...], config: str | None, isolated: bool, **rest: object) -> object:
        return command(source=Source(folders, config, isolated), **rest)

    for option in (
        click.option("--isolated", is_flag=True, help="Use no settings file."),
        click.option(
            "--config",
            type=click.Path(exists=True, dir_okay=False),
            metavar="FILE",
            help="Use this settings file (archlint.yaml or pyproject.toml) and no other.",
        ),
        click.option(
            "--rules",
            "folders",
            multiple=True,
            type=click.Path(exists=True, file_okay=False),
            metavar="DIR",
            help="Also use the rules in this folder (repeatable).",
        ),
    ):
        with_source = option(with_source)
    return cast(_Command, with_source)


def options_of_rules(command: _Command) -> _Command:
    target = click.option(
        "--target",
        multiple=True,
        metavar="TARGET",
        help="Where the models are to run: coreml, fp16, gpu, ort-mobile, ort-web, tensorrt or tflite.",
    )
    option = click.option(
        "--option",
        "options",
        multiple=True,
        metavar="RULE.NAME=VALUE",
        help="Set an option of a rule (repeatable).",
    )
    return target(option(command))


def words(values: Sequence[str]) -> list[str]:
    """Values of a repeatable option, each of which may hold several words: ``--select head,graph``."""
    return [word for value in values for word in value.replace(",", " ").split()]


def wants_colour(stream: IO[str]) -> bool:
    """Source: https://no-color.org and https://force-color.org; NO_COLOR wins."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


@dataclass(frozen=True, slots=True)
class Source:
    """Where rules and settings come from, as the command line says it."""

    folders: tuple[str, ...]
    config: str | None
    isolated: bool

    def settings(self) -> Settings:
        """The settings of the file that applies, with the rule folders of the command line."""
        from pathlib import Path

        from archlint.settings import load_settings

        config = Path(self.config) if self.config else None
        found = load_settings(Path.cwd(), config, self.isolated)
        return replace(found, rules=(*found.rules, *map(Path, self.folders)))

    def rules(self) -> RuleSet:
        """All built-in rules and those of the folders."""
        from archlint.engine import load

        return load(self.settings().rules)
