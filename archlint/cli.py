"""The command line. What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from archlint import __version__
from archlint.commands.fix import fix
from archlint.errors import ArchlintError
from archlint.options import Source, options_of_rules, rule_folders, wants_colour, words

if TYPE_CHECKING:
    from archlint.engine import RuleSet
    from archlint.facts import Facts

FINDINGS, NOT_DONE, INTERRUPTED = 1, 2, 130
"""Exit codes; those of a report come from ``archlint.api.exit_code``. 130 is 128 + SIGINT, as in shells."""

_OBJECTS_UNTIL_COLLECTED = 200_000
"""A graph is many small objects that stay: at Python's own 700, collecting takes 5 % of a short run and more
than half of a run over 100,000 nodes, and frees nothing (measured)."""

_MANY_FILES = 20
"""From so many files on there is a progress bar; fewer are done before one is read."""


class _CheckByDefault(click.Group):
    """A group whose first word may also be a path or an option of ``check``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, "--help", "-h", "--version"}
        return super().parse_args(ctx, args if not args or args[0] in own else ["check", *args])


@click.group(cls=_CheckByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archlint")
def archlint() -> None:
    """A linter for saved neural networks: .keras, .h5 and .onnx files, read without running them.

    `archlint PATH...` is short for `archlint check PATH...`.
    """


@archlint.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--select", multiple=True, metavar="RULE", help="Only these rules: names, families or globs.")
@click.option("--extend-select", "extend", multiple=True, metavar="RULE", help="Also these rules.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Without these rules.")
@options_of_rules
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info", "never"]),
    help="Exit with 1 if something at least this bad is found.  [default: warning]",
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--weights/--no-weights",
    default=None,
    help="Let rules read the weights, or not.  [default: if a model has at most 16 MB of them]",
)
@rule_folders
@click.option("-q", "--quiet", is_flag=True, help="Only findings and files that cannot be read.")
@click.option("-v", "--verbose", is_flag=True, help="Also what could not be judged, place by place.")
@click.option("--debug", is_flag=True, help="Stop with a traceback at a fault of archlint itself.")
def check(
    paths: tuple[str, ...],
    source: Source,
    select: tuple[str, ...],
    extend: tuple[str, ...],
    ignore: tuple[str, ...],
    options: tuple[str, ...],
    target: tuple[str, ...],
    fail_on: str | None,
    format_: str,
    weights: bool | None,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> int:
    """Lint model files, and the models in folders.

    \b
    Exit codes: 0  nothing found that is as bad as --fail-on
                1  something was
                2  something could not be done: a wrong option, a file that cannot be read, a fault
                3  nothing was checked
    """
    from archlint.api import check_files, exit_code
    from archlint.choice import chosen
    from archlint.engine import load
    from archlint.formats import find
    from archlint.reporters import View, render

    settings = source.settings().overruled(
        select=words(select),
        extend_select=words(extend),
        ignore=words(ignore),
        target=words(target),
        fail_on=fail_on,
        weights=weights,
    )
    picked = chosen(load(settings.rules), settings, options)
    found = find(paths)
    with _progress(len(found)) as advance:
        report = check_files(
            found,
            picked.rules,
            options=picked.options,
            weights=settings.weights,
            debug=debug,
            advance=advance,
        )
    if not found:
        click.echo(f"archlint: no models in {', '.join(map(_shown, paths))}", err=True)
    view = View(colour=wants_colour(sys.stdout), detail=verbose - quiet)
    render(report, format_, sys.stdout, view)
    return exit_code(report, settings.fail_on)


@archlint.command()
@click.argument("model")
def show(model: str) -> None:
    """Print a model's graph, a line per node, with shapes, parameters and MACs."""
    from archlint.reporters.notation import lines

    for line in lines(_facts(model)):
        click.echo(line)


@archlint.command()
@click.argument("name")
@rule_folders
def rule(name: str, source: Source) -> None:
    """Say what a rule flags, why, and what to do."""
    from archlint.engine import describe, find

    click.echo(describe(find(source.rules(), name)))


@archlint.command()
@click.option("--vocabulary", is_flag=True, help="Instead, every fact, function and op that a rule can use.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="markdown and json hold all that `archlint rule` says.",
)
@click.option(
    "--docs",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Instead, write a page per rule and an index into this folder.",
)
@rule_folders
def rules(vocabulary: bool, format_: str, docs: str | None, source: Source) -> None:
    """List all rules."""
    from archlint.engine import listed, write_pages
    from archlint.engine import vocabulary as listing
    from archlint.reporters.view import plural

    if vocabulary:
        click.echo(listing())
    elif docs is not None:
        click.echo(f"{plural(write_pages(source.rules(), docs), 'page')} in {docs}")
    else:
        click.echo(listed(source.rules(), format_))


@archlint.command()
@click.argument("name")
@click.argument("model")
@options_of_rules
@rule_folders
def explain(name: str, model: str, source: Source, options: tuple[str, ...], target: tuple[str, ...]) -> None:
    """Say how far a rule got on a model, and which condition was false or unknown."""
    from archlint.choice import chosen
    from archlint.engine import explain as explained
    from archlint.engine import find, load

    settings = source.settings().overruled(target=words(target))
    picked = chosen(load(settings.rules), replace(settings, select=("all",), ignore=()), options)
    wanted = find(picked.rules, name)
    facts = _facts(model, weights="weights" in wanted.requires)
    click.echo(explained(wanted, facts, picked.options.get(name)))


@archlint.command()
@rule_folders
def config(source: Source) -> None:
    """Say which settings apply here, and where each of them stands."""
    from archlint.choice import chosen
    from archlint.engine import load
    from archlint.settings import rows

    settings = source.settings()
    every = load(settings.rules)
    click.echo(f"settings: {settings.path or 'no file; the defaults apply'}")
    for key, value, place in rows(settings):
        click.echo(f"  {key:14} {_value(value):32} {place}")
    click.echo(f"{len(chosen(every, settings).rules)} of {len(every)} rules take part")


@archlint.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False), metavar="[DIR]...")
@click.option("-v", "--verbose", is_flag=True, help="Also list the examples that hold.")
def test(folders: tuple[str, ...], verbose: bool) -> int:
    """Run the examples of the built-in rules, or of those in folders of your own."""
    from archlint.engine import run_examples
    from archlint.fixing.examples import run_fixed
    from archlint.reporters.view import plural

    every = _loaded(folders, builtin=not folders)
    results = run_fixed(every, run_examples(every))
    for result in results:
        if verbose or result.problem:
            place = f"{result.rule}, example {result.number} ({'flag' if result.flag else 'pass'})"
            click.echo(f"{place}: {result.problem or 'holds'}")
    failed = sum(result.problem is not None for result in results)
    tested = plural(len({result.rule for result in results}), "rule")
    click.echo(f"{plural(len(results), 'example')} of {tested}, {failed} failed")
    return FINDINGS if failed else 0


archlint.add_command(fix)


def _loaded(folders: Sequence[str], builtin: bool = True) -> RuleSet:
    from pathlib import Path

    from archlint.engine import load

    return load([Path(folder) for folder in folders], builtin=builtin)


def _facts(path: str, weights: bool = False) -> Facts:
    from archlint.api import facts_of

    return facts_of(path, weights)


def _value(value: object) -> str:
    """A setting as ``archlint config`` prints it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_value(row)}" for key, row in value.items()) or "-"
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _shown(path: str) -> str:
    from archlint.reporters.view import printable

    return printable(path)


def _progress(count: int) -> AbstractContextManager[Callable[[], None]]:
    """A bar on stderr for many files on a terminal; what it gives is called after each file."""
    if count < _MANY_FILES or not sys.stderr.isatty():
        return nullcontext(lambda: None)
    return _bar(count)


@contextmanager
def _bar(count: int) -> Iterator[Callable[[], None]]:
    with click.progressbar(length=count, label="archlint", file=sys.stderr) as bar:
        yield lambda: bar.update(1)


def main() -> None:
    """Runs the command line and exits. What a stream cannot show is escaped, never an error."""
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTED, 20, 20)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = _run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    sys.exit(code)


def _run(args: list[str]) -> int:
    try:
        code = archlint.main(args, prog_name="archlint", standalone_mode=False)
    except (BrokenPipeError, SystemExit):  # click leaves with 1, "findings", when nobody reads on
        _drop_output()
        return NOT_DONE
    except click.ClickException as error:
        error.show()
        return NOT_DONE
    except ArchlintError as error:
        for line in str(error).splitlines():
            click.echo(f"archlint: {_shown(line)}", err=True)
        return NOT_DONE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception:  # a fault of ours: Python would exit with 1, which means "findings"
        traceback.print_exc()
        return NOT_DONE
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """Sends what is still to be written to nowhere: whoever read our output has stopped reading."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
