"""Commands that cost networks: table, sweep, accuracy, plot, report."""

from typing import Annotated

import typer

from mbprof.cli.app import command
from mbprof.cli.inputs import plan_of
from mbprof.cli.options import (
    AlphaOption,
    ConventionOption,
    FormatOption,
    MaxMacsOption,
    MaxParamsOption,
    OutputOption,
    ResOption,
    ScopeOption,
    SetOption,
    SpecArgument,
    given_knobs,
    hold_to,
    limits_of,
    network_of,
    outlet,
)


@command(epilog="Example: mbprof table mobilenet_v1 --alpha 0.75 --res 128")
def table(
    spec: SpecArgument,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="sum up by layer, block or op")
    ] = "layer",
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="COLUMN", help="numbers from large to small")
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", help="show the first N rows")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B,C", help="which columns to show")
    ] = None,
    max_macs: MaxMacsOption = None,
    max_params: MaxParamsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Print what each layer of a network costs, and the total."""
    from mbprof.network import speclike

    out, limits = outlet(format, output), limits_of(max_macs, max_params)
    network = network_of(spec, alpha, res, settings)
    names = [name.strip() for name in columns.split(",")] if columns else None
    found = speclike.table(
        network, by=by, sort=sort, top=top, columns=names, scope=scope, convention=convention
    )
    out.write(found.report(out.layout))
    hold_to(network, limits, convention, scope)


@command(epilog="Example: mbprof sweep mobilenet_v2 --alpha 0.35:1.4:0.35 --res 96,128,224")
def sweep(
    spec: SpecArgument,
    alpha: Annotated[
        str | None, typer.Option("--alpha", metavar="VALUES", help="0.5,1.0 or START:STOP:STEP")
    ] = None,
    res: Annotated[
        str | None, typer.Option("--res", metavar="VALUES", help="the same of resolutions")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUES", help="the same of any knob; repeatable"),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option("--random", metavar="N", help="draw N; a range is START:STOP then, too"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="of --random")] = 0,
    configs: Annotated[
        str | None, typer.Option("--from", metavar="FILE", help="configurations from a CSV file")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="CONDITION", help="such as 'macs <= 300e6 and alpha < 1'"),
    ] = None,
    pareto: Annotated[
        str | None,
        typer.Option("--pareto", metavar="A,B", help="keep what nothing beats in these columns"),
    ] = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    accuracy: Annotated[
        str | None,
        typer.Option("--accuracy", metavar="SERIES", help="published top-1; default, or a series"),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="processes")] = 1,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Cost many configurations: a grid, random or listed ones."""
    from mbprof.network.load import load
    from mbprof.sweeps.sweep import plan_sweep
    from mbprof.sweeps.write import write

    out = outlet(format, output, "sweep")
    loaded = load(spec)
    given = given_knobs(alpha, res, settings)
    plan = plan_of(loaded, given, random, seed, configs)
    job = plan_sweep(loaded, plan, convention, scope, where, accuracy)
    try:
        write(job, out.format, output, pareto, jobs, out.screen)
    except KeyboardInterrupt:
        typer.echo("interrupted; no file was written", err=True)
        raise


@command(epilog="Example: mbprof accuracy mobilenet_v1 --series slim")
def accuracy(
    spec: SpecArgument,
    series: Annotated[
        str | None, typer.Option("--series", metavar="NAME", help="one source and recipe only")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="show the first N rows")
    ] = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Print published accuracies beside computed costs."""
    from mbprof.published.accuracy import accuracy as published

    out = outlet(format, output)
    out.write(published(spec, series, limit).report(out.layout))


@command(epilog="Example: mbprof plot mobilenet_v1 mobilenet_v2 -o accuracy.svg")
def plot(
    specs: Annotated[
        list[str], typer.Argument(metavar="SPEC...", help="names of mbprof list, or files")
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="write to FILE.svg, .png or .pdf")
    ],
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="accuracy, cost, grid or layers")
    ] = "accuracy",
    alpha: Annotated[
        str | None, typer.Option("--alpha", metavar="A,B", help="width multipliers to show")
    ] = None,
    res: Annotated[
        str | None, typer.Option("--res", metavar="R,S", help="resolutions to show")
    ] = None,
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help="body or all")] = "all",
    format: FormatOption = None,
) -> None:
    """Draw published accuracy or computed cost for print."""
    from mbprof.pages.plot import numbers, write

    write(
        output,
        specs,
        kind,
        format,
        alphas=numbers("--alpha", alpha, float),
        sides=numbers("--res", res, int),
        scope=scope,
    )


@command(epilog="Example: mbprof report mobilenet_v1 -o mobilenet_v1.md")
def report(
    specs: Annotated[
        list[str] | None, typer.Argument(metavar="[SPEC]...", help="one to explain, or several")
    ] = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="heading of the page")] = "",
    folder: Annotated[
        str | None,
        typer.Option("--all", metavar="FOLDER", help="write what FOLDER/reports.yaml lists"),
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="write to FILE.md")
    ] = None,
) -> None:
    """Write Markdown with charts of one network or of several."""
    from mbprof.errors import UsageError
    from mbprof.pages import dossier

    if folder is not None and not specs and output is None:
        dossier.regenerate(folder)
    elif folder is None and specs and output is not None:
        dossier.report(*specs, title=title, output=output)
    else:
        raise UsageError("give specs and -o FILE.md, or --all FOLDER alone")
