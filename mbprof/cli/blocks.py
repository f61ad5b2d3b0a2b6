"""Commands about designs: block, check, watch."""

from typing import Annotated

import typer

from mbprof.cli import complete
from mbprof.cli.app import command
from mbprof.cli.options import (
    AlphaOption,
    ColumnsOption,
    ConventionOption,
    FormatOption,
    ImageOption,
    MaxMacsOption,
    MaxParamsOption,
    OutputOption,
    ResOption,
    ScopeOption,
    SetOption,
    SortOption,
    TopOption,
    given_knobs,
    hold_to,
    limits_of,
    listed,
    outlet,
)

IgnoreOption = Annotated[
    str | None, typer.Option("--ignore", metavar="A,B", help="codes, or how they begin")
]


@command(epilog="Example: mbprof block inv_res --in 56x56x24 --set c=24 --set t=6")
def block(
    block: Annotated[
        str,
        typer.Argument(
            metavar="BLOCK",
            help="a block of the library, its file, or SPEC:BLOCK",
            autocompletion=complete.blocks,
        ),
    ],
    image: ImageOption = None,
    alpha: AlphaOption = None,
    settings: SetOption = None,
    convention: ConventionOption = "kernels",
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    max_macs: MaxMacsOption = None,
    max_params: MaxParamsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Cost one block alone, beside other blocks of its width."""
    from mbprof.pages.block import block_network

    out, limits = outlet(format, output), limits_of(max_macs, max_params)
    network = block_network(block, image, given_knobs(alpha, None, settings), convention)
    out.table(network.report(out.layout), sort, top, columns)
    hold_to(network, limits, convention, "all")


@command(epilog="Example: mbprof check mobilenet_v2 --alpha 0.35 --max-macs 60M")
def check(
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC|BLOCK...",
            help="names, files, or SPEC:BLOCK",
            autocompletion=complete.designs,
        ),
    ] = None,
    image: ImageOption = None,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    max_macs: MaxMacsOption = None,
    max_params: MaxParamsOption = None,
    ignore: IgnoreOption = None,
    fail_on: Annotated[
        str,
        typer.Option("--fail-on", metavar="WHAT", help="error, warning, advice or never"),
    ] = "error",
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="CODE", help="explain a rule; all lists them"),
    ] = None,
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Say what is wrong or suspicious in a design; status 1 if it fails."""
    from mbprof.checks.run import examine, findings_report, rule_report, rules_report
    from mbprof.errors import UsageError

    if explain is not None:
        rules = rules_report() if explain == "all" else rule_report(explain.upper())
        outlet(format, output).table(rules, sort, top, columns)
        return
    out = outlet(format, output, "check")
    if not specs:
        raise UsageError("there is nothing to check", hint="give a spec, a block, or --explain all")
    given = given_knobs(alpha, res, settings)
    limits = limits_of(max_macs, max_params)
    codes = codes_of(ignore)
    found = [examine(spec, image, given, limits, codes, convention, scope) for spec in specs]
    failed = [each.fails(fail_on) for each in found]
    out.table(findings_report(found, sort, top), columns=columns)
    if any(failed):
        raise typer.Exit(1)


@command(epilog="Example: mbprof watch my_net.yaml --max-macs 300M")
def watch(
    file: Annotated[str, typer.Argument(metavar="FILE", help="a spec or block; see mbprof check")],
    image: ImageOption = None,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    max_macs: MaxMacsOption = None,
    max_params: MaxParamsOption = None,
    ignore: IgnoreOption = None,
) -> None:
    """Check a file now and whenever it is saved, until interrupted."""
    from mbprof.checks.run import examine, findings_report
    from mbprof.cli.watch import saves
    from mbprof.errors import MbprofError

    given, limits = given_knobs(alpha, res, settings), limits_of(max_macs, max_params)
    for _ in saves(file):
        try:
            found = examine(file, image, given, limits, codes_of(ignore), convention, scope)
        except MbprofError as error:
            # The next save may put it right.
            typer.echo(str(error), err=True)
        else:
            outlet(None, None).write(findings_report([found]))


def codes_of(typed: str | None) -> list[str]:
    """Return the codes of a list, as they are written."""
    return [code.upper() for code in listed(typed)]
