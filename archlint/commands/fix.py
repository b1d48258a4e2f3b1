"""``archlint fix``."""

from __future__ import annotations

import sys

import click

from archlint.options import Source, options_of_rules, rule_folders, wants_colour, words


@click.command()
@click.argument("model")
@click.option("-o", "--output", metavar="OUT", help="Where the patched model goes.  [default: MODEL.fixed.…]")
@click.option("--in-place", is_flag=True, help="Put the patched model in the place of the original.")
@click.option("--diff", is_flag=True, help="Only show the layers before and after; no file is left.")
@click.option("--select", multiple=True, metavar="RULE", help="Fix only findings of these rules.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave the findings of these rules.")
@click.option("--unsafe-fixes", "unsafe", is_flag=True, help="Also fixes after which it has to be trained.")
@click.option(
    "--head",
    type=click.Choice(["keep", "collapse", "grid", "spatial", "low-rank"]),
    help="With --unsafe-fixes, what replaces Flatten: global average pooling with the dense layers kept, or "
    "straight into the last one; 2x2 means; a weighted sum per channel; or a thin layer before the first "
    "dense one. The last three only where the weights allow it.  [default: keep, else collapse, unless the "
    "weights use where things are]",
)
@click.option(
    "--inference", is_flag=True, help="Also fixes that are exact only as long as it is not trained."
)
@click.option(
    "--verify",
    type=click.Choice(["auto", "require", "off"]),
    default="auto",
    show_default=True,
    help="Run both models and compare their outputs: if their framework is installed, in any case, or not.",
)
@click.option(
    "--calibrate",
    "samples",
    type=click.Path(exists=True),
    metavar="SAMPLES",
    help="Only fit a smaller head to what the model says of samples (.npz, .npy or a folder of images).",
)
@click.option(
    "--min-agreement",
    type=click.FloatRange(0, 1),
    default=0.99,
    show_default=True,
    help="With --calibrate: write nothing that agrees less on the samples held out.",
)
@options_of_rules
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info", "never"]),
    help="Exit with 1 if something at least this bad is left.  [default: warning]",
)
@click.option(
    "--weights/--no-weights",
    default=None,
    help="Let rules read the weights, or not.  [default: if a model has at most 16 MB of them]",
)
@rule_folders
@click.option("-q", "--quiet", is_flag=True, help="Only the fixes that were made, and the result.")
def fix(
    model: str,
    output: str | None,
    in_place: bool,
    diff: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    unsafe: bool,
    head: str | None,
    inference: bool,
    verify: str,
    samples: str | None,
    min_agreement: float,
    options: tuple[str, ...],
    target: tuple[str, ...],
    fail_on: str | None,
    weights: bool | None,
    source: Source,
    quiet: bool,
) -> int:
    """Write a patched copy of a model, and prove it.

    Without an option only fixes are made that keep what the model computes. With --calibrate a flattened head
    is replaced by the smallest of several that says the same of your samples, or nothing is written and the
    exit code is 1.

    \b
    Exit codes: 0  nothing is left that is as bad as --fail-on; with --diff: nothing would change
                1  something is; with --diff: something would change
                2  something could not be done; nothing was written
    """
    if samples is not None:
        if select or ignore or unsafe or inference or head:
            raise click.UsageError("--calibrate goes with no options about other fixes")
        return _calibrated(model, samples, output, min_agreement, in_place, diff)
    from archlint.api import is_as_bad
    from archlint.fixing import carry_out, plan, rehearsed
    from archlint.reporters import View
    from archlint.reporters.patch import render_patch

    settings = source.settings().overruled(target=words(target), fail_on=fail_on, weights=weights)
    planned = plan(
        model,
        output,
        in_place=in_place,
        select=words(select),
        ignore=words(ignore),
        unsafe=unsafe,
        inference=inference,
        head=head,
        settings=settings,
        options=options,
    )
    view = View(colour=wants_colour(sys.stdout), detail=-quiet)
    if diff:
        from archlint.reporters.diff import render_diff

        planned = rehearsed(planned)
        render_patch(planned.patch, sys.stdout, view)
        render_diff(planned.before, planned.after_at_old_size, planned.after.graph, sys.stdout, view)
        return int(bool(planned.patch.made))
    patch = carry_out(planned, verify)
    render_patch(patch, sys.stdout, view)
    return int(is_as_bad(patch.remaining, settings.fail_on))


def _calibrated(model: str, samples: str, output: str | None, least: float, in_place: bool, dry: bool) -> int:
    from archlint.fixing.calibration import calibrate
    from archlint.reporters import View
    from archlint.reporters.trials import render_trials

    found = calibrate(model, samples, output, least=least, in_place=in_place, dry=dry)
    render_trials(found, sys.stdout, View(colour=wants_colour(sys.stdout)))
    return int(found.winner is None)
