"""Commands about networks: what they cost, what others say of them, what the zoo holds."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from mbprof.cli.options import (
    HELP,
    INTERRUPTED,
    AlphasOption,
    Budgets,
    ConventionOption,
    Counted,
    DesignArgument,
    DeviceOption,
    DtypeOption,
    FormatOption,
    ImageOption,
    Knobs,
    OptionalSpecsArgument,
    Output,
    OutputOption,
    ResolutionsOption,
    Rows,
    ScopeOption,
    SetOption,
    SpecArgument,
    SpecsArgument,
    ThemeOption,
    command,
    complain,
    hold_to,
    listed,
)
from mbprof.errors import UsageError

if TYPE_CHECKING:
    from mbprof.language.source import Scalar
    from mbprof.network.load import Spec
    from mbprof.sweeps.axes import Plan


@command(epilog="Example: mbprof table mobilenet_v1 --alpha 0.75 --res 128")
def table(
    *,
    spec: SpecArgument,
    knobs: Knobs,
    counted: Counted,
    by: Annotated[
        str, Option("--by", metavar="WHAT", help="sum up by layer, block or op")
    ] = "layer",
    dtype: DtypeOption = None,
    rows: Rows,
    limits: Budgets,
    to: Output,
) -> None:
    """Print what each layer of a network costs, and the total."""
    from mbprof.network.load import load
    from mbprof.network.load import table as tabulated

    out, budget = to.open(), limits.budget(dtype)
    given = knobs.typed()
    network = load(spec, given).build_at(given)
    found = tabulated(
        network, by=by, sort=rows.sort, top=rows.top, columns=rows.named, dtype=dtype,
        **counted._asdict(),
    )  # fmt: skip
    out.table(found.report(out.layout), Rows(columns=HELP if rows.columns == HELP else None))
    hold_to(network, budget, counted)


@command(epilog="Example: mbprof sizes swin")
def sizes(
    *,
    spec: DesignArgument,
    image: ImageOption = None,
    knobs: Knobs,
    rows: Rows,
    to: Output,
) -> None:
    """Say which heights and widths make a network, and why the others do not."""
    from mbprof.network.load import sizes_at

    out = to.open()
    out.table(sizes_at(spec, knobs.typed(), image).report(out.layout), rows)


@command(epilog="Example: mbprof sweep mobilenet_v2 --alpha 0.35:1.4:0.35 --res 96,128,224")
def sweep(
    *,
    specs: SpecsArgument,
    alpha: AlphasOption = None,
    res: ResolutionsOption = None,
    settings: Annotated[
        list[str] | None,
        Option("--set", metavar="NAME=VALUES", help="the same of any knob; repeatable"),
    ] = None,
    random: Annotated[
        int | None, Option("--random", metavar="N", help="draw N; a range is START:STOP then, too")
    ] = None,
    seed: Annotated[int, Option("--seed", metavar="S", help="of what is random")] = 0,
    configs: Annotated[
        str | None,
        Option("--configs", "--from", metavar="FILE", help="configurations of a CSV file"),
    ] = None,
    where: Annotated[
        str | None,
        Option("--where", metavar="CONDITION", help="such as 'macs <= 300e6 and alpha < 1'"),
    ] = None,
    pareto: Annotated[
        str | None,
        Option("--pareto", metavar="A,B", help="keep what nothing beats in these columns"),
    ] = None,
    counted: Counted,
    accuracy: Annotated[
        str | None,
        Option("--accuracy", metavar="SERIES", help="published top-1; default, or a series"),
    ] = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    rows: Rows,
    jobs: Annotated[
        int | None, Option("--jobs", metavar="N", help="processes of this machine; 1")
    ] = None,
    scheduler: Annotated[
        str | None,
        Option("--scheduler", metavar="ADDRESS", help="a Dask cluster; local starts one"),
    ] = None,
    to: Output,
) -> None:
    """Cost many configurations: a grid, random or listed ones."""
    from mbprof.device.lanes import needs
    from mbprof.network.load import load
    from mbprof.sweeps.sweep import plan_sweeps
    from mbprof.sweeps.write import Kept, columns_of, write

    out = to.open("report" if rows.columns == HELP else "sweep")
    given = Knobs(alpha, res, settings).typed()
    loaded = [load(spec, given) for spec in specs]
    plans = [plan_of(spec, given, random, seed, configs) for spec in loaded]
    job = plan_sweeps(
        loaded, plans, counted.convention, counted.scope, where, accuracy, needs(dtype, device)
    )
    if rows.columns == HELP:
        out.table(columns_of(job), Rows(columns=HELP))
        return
    kept = Kept(pareto, rows.sort, rows.top, rows.named)
    try:
        write(job, out.format, out.path, kept, jobs, out.screen, scheduler)
    except KeyboardInterrupt:
        complain(INTERRUPTED)
        raise


@command(epilog="Example: mbprof accuracy mobilenet_v1 --series slim")
def accuracy(
    *,
    spec: SpecArgument,
    series: Annotated[
        str | None, Option("--series", metavar="NAME", help="one source and recipe only")
    ] = None,
    counted: Counted,
    rows: Rows,
    to: Output,
) -> None:
    """Print published accuracies beside computed costs."""
    from mbprof.published.accuracy import accuracy as published

    out = to.open()
    found = published(spec, series, scope=counted.scope or "all", convention=counted.convention)
    out.table(found.report(out.layout), rows)


@command(epilog="Example: mbprof plot mobilenet_v1 mobilenet_v2 -o accuracy.svg")
def plot(
    specs: SpecsArgument,
    output: Annotated[
        str, Option("-o", "--output", metavar="FILE", help="write to FILE.svg, .png or .pdf")
    ],
    kind: Annotated[
        str, Option("--kind", metavar="KIND", help="such as accuracy, cost, memory, predicted")
    ] = "accuracy",
    alpha: AlphasOption = None,
    res: ResolutionsOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    by: Annotated[
        str | None, Option("--by", metavar="WHAT", help="of --kind layers: layer, block or op")
    ] = None,
    theme: ThemeOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    format: FormatOption = None,
) -> None:
    """Draw published accuracy, computed cost or memory for print."""
    from mbprof.pages.plot import write

    ending = Output(format, output).open("plot").format.name
    alphas, sides = values_of("alpha", alpha, "number"), values_of("res", res, "int")
    write(
        output, specs, kind, ending, alphas=alphas, sides=sides, scope=scope or "all",
        convention=convention, by=by, theme=theme or "light", dtype=dtype, device=device,
        knobs=Knobs(settings=settings).typed(),
    )  # fmt: skip


@command(epilog="Example: mbprof graph mobilenet_v1 -o mobilenet_v1.html")
def graph(
    *,
    spec: SpecArgument,
    knobs: Knobs,
    counted: Counted,
    by: Annotated[
        str, Option("--by", metavar="WHAT", help="a box for each block or each layer")
    ] = "block",
    theme: ThemeOption = None,
    to: Output,
) -> None:
    """Draw a network as a graph, or as a page with its table and sliders."""
    from mbprof.network.load import load
    from mbprof.pages.graph.drawing import drawn

    out, given = to.open("graph", "svg"), knobs.typed()
    network = load(spec, given).build_at(given)
    scope, convention = counted
    out.write(drawn(network, out.format.name, by, theme or "auto", scope, convention))


@command(epilog="Example: mbprof report mobilenet_v1 -o mobilenet_v1.md")
def report(
    *,
    specs: OptionalSpecsArgument = None,
    title: Annotated[str, Option("--title", metavar="TEXT", help="heading of the page")] = "",
    knobs: Knobs,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    folder: Annotated[
        str | None, Option("--all", metavar="FOLDER", help="write what FOLDER/reports.yaml lists")
    ] = None,
    output: Annotated[
        str | None, Option("-o", "--output", metavar="FILE", help="write to FILE.md")
    ] = None,
) -> None:
    """Write Markdown with charts of one network or of several."""
    from mbprof.pages import dossier
    from mbprof.pages.running import On

    asked = knobs != Knobs() or dtype is not None or device is not None
    if folder is not None and not specs and output is None and not asked:
        dossier.regenerate(folder)
    elif folder is None and specs and output is not None:
        dossier.report_at(specs, knobs.typed(), title, output, On(dtype, device))
    else:
        raise UsageError("give specs and -o FILE.md, or --all FOLDER alone")


@command(epilog="Example: mbprof explain mobilenet_v2@torchvision --from kernels --to fvcore")
def explain(
    *,
    specs: OptionalSpecsArgument = None,
    knobs: Knobs,
    scope: ScopeOption = None,
    before: Annotated[
        str | None, Option("--from", metavar="NAME|FILE", help="the convention to start from")
    ] = None,
    after: Annotated[
        str | None, Option("--to", metavar="NAME|FILE", help="the convention to arrive at")
    ] = None,
    number: Annotated[
        str | None,
        Option("--number", metavar="N", help="find out what a number counts, such as 569M"),
    ] = None,
    live: Annotated[
        bool, Option("--run", help="run the installed counters on the module, beside their rules")
    ] = False,
    zoo: Annotated[
        bool, Option("--zoo", "--all", help="of which network of the zoo, with --number")
    ] = False,
    rows: Rows,
    to: Output,
) -> None:
    """Count a network by every convention, and say why they differ."""
    out = to.open()
    if bool(specs) == zoo:
        raise UsageError("give specs, or --all with --number")
    if number is not None:
        if before is not None or after is not None:
            raise UsageError("give either --number, or --from and --to")
        from mbprof.published.origins import origins

        found = origins(specs, number, knobs.typed(), scope)
        out.table(found.report(out.layout), rows)
        if not found.origins and out.layout == "data":
            complain(found.verdict)
        return
    if specs is None or len(specs) > 1:
        raise UsageError("several specs are explained together only with --number")
    from mbprof.network.load import load
    from mbprof.published import tools

    given = knobs.typed()
    network = load(specs[0], given).build_at(given)
    explained = tools.explain(network, scope=scope, before=before, after=after)
    if live:
        from mbprof.exchange.torch_in import counters
        from mbprof.published.printed import Printed

        said = counters.printed(specs[0], given)
        printed = {name: Printed(*found) for name, found in said.items()}
        explained = replace(explained, printed=printed)
    out.table(explained.report(out.layout), rows)


@command(epilog="Example: mbprof formula mobilenet_v2 --by net --format latex")
def formula(
    *,
    spec: DesignArgument,
    knobs: Knobs,
    symbols: Annotated[
        str | None,
        Option("--symbols", "--in", metavar="A,B", help="more knobs that are, such as classes"),
    ] = None,
    by: Annotated[
        str, Option("--by", metavar="WHAT", help="a formula for each layer, block or the net")
    ] = "layer",
    of: Annotated[
        str, Option("--of", metavar="COUNT", help="params, cost (or macs, flops by name) or both")
    ] = "both",
    counted: Counted,
    to: Output,
) -> None:
    """Write the cost in closed form, in alpha, H and W."""
    from mbprof.formulas import formula_at
    from mbprof.formulas.sheet import Sheet

    out = to.open("formula")
    scope, convention = counted
    found = formula_at(spec, knobs.typed(), by, listed(symbols), convention, scope)
    out.write(Sheet.of(found, of))


@command(name="list", epilog="Example: mbprof list mobilenet")
def list_specs(
    *,
    text: Annotated[
        str, Argument(metavar="[TEXT]", help="only names and families that hold it")
    ] = "",
    blocks: Annotated[bool, Option("--blocks", help="list the block library")] = False,
    names: Annotated[
        str | None, Option("--names", metavar="LIBRARY", help="timm's, torchvision's, keras' names")
    ] = None,
    counted: Counted,
    rows: Rows,
    to: Output,
) -> None:
    """List the networks of the zoo by family, or the block library."""
    from mbprof.pages.catalogue import catalogue, library, library_names

    out, (scope, convention) = to.open(), counted
    if names is not None:
        out.table(library_names(names, text).report(out.layout), rows)
        return
    if blocks and scope is not None:
        raise UsageError("a block has no scope", hint="leave --scope out")
    found = library(text, convention) if blocks else catalogue(text, convention, scope)
    out.table(found.report(out.layout), rows)


@command(epilog="Example: mbprof show mobilenet_v1@keras")
def show(
    *,
    spec: DesignArgument,
    image: ImageOption = None,
    knobs: Knobs,
    convention: ConventionOption = "kernels",
    to: Output,
) -> None:
    """Explain a network or a block: source, knobs, blocks, rows, claims."""
    from mbprof.pages.zoo import shown

    out = to.open()
    page = shown(spec, image, knobs.typed(), convention)
    out.write(page.report(out.layout))


@command(epilog="Example: mbprof verify mobilenet_v1")
def verify(*, specs: OptionalSpecsArgument = None, rows: Rows, to: Output) -> None:
    """Recompute what others published of specs, or of the zoo; status 1 if a claim fails."""
    from mbprof.published.verify import verify as recompute

    out = to.open()
    verdicts = recompute(*specs or ())
    out.table(verdicts.report(out.layout), rows)
    if not verdicts.passed:
        raise typer.Exit(1)


@command(epilog="Example: mbprof schema -o spec.schema.json")
def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, for editors."""
    from mbprof.spec.schema import schema

    Output(None, output).open("schema", "json").write(schema())


def values_of(name: str, text: str | None, kind: str) -> tuple[Any, ...]:
    """Return the values of an option that takes several, all above 0: ``number`` or ``int``."""
    from mbprof.language.source import Scalar
    from mbprof.spec.knobs import Knob
    from mbprof.sweeps.axes import read_axis

    if text is None:
        return ()
    place = Scalar.typed(f"--{name} ", text).loc
    return read_axis(Knob(name, 1, kind, "", above=0), text, place).values


def plan_of(
    spec: "Spec", given: "dict[str, Scalar]", random: int | None, seed: int, configs: str | None
) -> "Plan":
    """Return which configurations the command line asks for."""
    from pathlib import Path

    from mbprof.sweeps.axes import chosen, planned
    from mbprof.sweeps.configs import read_configs

    if configs is not None:
        if given or random is not None:
            raise UsageError("--configs says all there is to cost; leave the axes and --random out")
        return planned(spec, {}, read_configs(Path(configs)))
    axes = given or chosen(spec, "give an axis, such as --alpha 0.5,1.0")
    return planned(spec, axes, None, random, seed)
