"""Commands that cost networks: table, sweep, accuracy, plot, report."""

from typing import Annotated

import typer

from mbprof.cli.app import command
from mbprof.cli.inputs import plan_of, values_of
from mbprof.cli.options import (
    HELP,
    AlphaOption,
    AlphasOption,
    ColumnsOption,
    ConventionOption,
    FormatOption,
    MaxMacsOption,
    MaxParamsOption,
    OptionalSpecsArgument,
    OutputOption,
    ResolutionsOption,
    ResOption,
    ScopeOption,
    SetOption,
    SortOption,
    SpecArgument,
    SpecsArgument,
    TopOption,
    given_knobs,
    hold_to,
    limits_of,
    named,
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
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    max_macs: MaxMacsOption = None,
    max_params: MaxParamsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Print what each layer of a network costs, and the total."""
    from mbprof.network import speclike

    out, limits = outlet(format, output), limits_of(max_macs, max_params)
    network = network_of(spec, alpha, res, settings)
    found = speclike.table(
        network, by=by, sort=sort, top=top, columns=named(columns), scope=scope,
        convention=convention,
    )  # fmt: skip
    out.table(found.report(out.layout), columns=HELP if columns == HELP else None)
    hold_to(network, limits, convention, scope)


@command(epilog="Example: mbprof sweep mobilenet_v2 --alpha 0.35:1.4:0.35 --res 96,128,224")
def sweep(
    specs: SpecsArgument,
    alpha: AlphasOption = None,
    res: ResolutionsOption = None,
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
        str | None,
        typer.Option("--configs", "--from", metavar="FILE", help="configurations of a CSV file"),
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
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="processes")] = 1,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Cost many configurations: a grid, random or listed ones."""
    from mbprof.network.load import load
    from mbprof.sweeps.several import plan_sweeps
    from mbprof.sweeps.write import Kept, columns_of, write

    out = outlet(format, output, "report" if columns == HELP else "sweep")
    given = given_knobs(alpha, res, settings)
    loaded = [load(spec) for spec in specs]
    plans = [plan_of(spec, given, random, seed, configs) for spec in loaded]
    job = plan_sweeps(loaded, plans, convention, scope, where, accuracy)
    if columns == HELP:
        out.table(columns_of(job), columns=HELP)
        return
    kept = Kept(pareto, sort, top, named(columns))
    try:
        write(job, out.format, output, kept, jobs, out.screen)
    except KeyboardInterrupt:
        typer.echo("interrupted; no file was written", err=True)
        raise


@command(epilog="Example: mbprof accuracy mobilenet_v1 --series slim")
def accuracy(
    spec: SpecArgument,
    series: Annotated[
        str | None, typer.Option("--series", metavar="NAME", help="one source and recipe only")
    ] = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Print published accuracies beside computed costs."""
    from mbprof.published.accuracy import accuracy as published

    out = outlet(format, output)
    found = published(spec, series, scope=scope or "all", convention=convention)
    out.table(found.report(out.layout), sort, top, columns)


@command(epilog="Example: mbprof plot mobilenet_v1 mobilenet_v2 -o accuracy.svg")
def plot(
    specs: SpecsArgument,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="write to FILE.svg, .png or .pdf")
    ],
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="accuracy, cost, grid or layers")
    ] = "accuracy",
    alpha: AlphasOption = None,
    res: ResolutionsOption = None,
    scope: ScopeOption = None,
    format: FormatOption = None,
) -> None:
    """Draw published accuracy or computed cost for print."""
    from mbprof.pages.plot import write

    write(
        output,
        specs,
        kind,
        outlet(format, output, "plot").format.name,
        alphas=values_of("alpha", alpha, "number"),
        sides=values_of("res", res, "int"),
        scope=scope or "all",
    )


@command(epilog="Example: mbprof report mobilenet_v1 -o mobilenet_v1.md")
def report(
    specs: OptionalSpecsArgument = None,
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
