"""Commands about what is counted: explain."""

from typing import Annotated

import typer

from mbprof.cli.app import command
from mbprof.cli.options import (
    AlphaOption,
    FormatOption,
    OutputOption,
    ResOption,
    ScopeOption,
    SetOption,
    SpecArgument,
    given_knobs,
    network_of,
    outlet,
)


@command(epilog="Example: mbprof explain mobilenet_v2@torchvision --from kernels --to fvcore")
def explain(
    spec: SpecArgument,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    before: Annotated[
        str | None, typer.Option("--from", metavar="NAME|FILE", help="the convention to start from")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--to", metavar="NAME|FILE", help="the convention to arrive at")
    ] = None,
    number: Annotated[
        str | None,
        typer.Option("--number", metavar="N", help="find out what a number counts, such as 569M"),
    ] = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Count a network by every convention, and say why they differ."""
    from mbprof.errors import UsageError

    out = outlet(format, output)
    if number is not None:
        if before is not None or after is not None:
            raise UsageError("give either --number, or --from and --to")
        from mbprof.published.origins import origins

        found = origins(spec, number, given_knobs(alpha, res, settings), scope)
        out.write(found.report(out.layout))
        if not found.origins and out.layout == "data":
            typer.echo(found.verdict, err=True)
        return
    from mbprof.published import tools

    network = network_of(spec, alpha, res, settings)
    explained = tools.explain(network, scope=scope, before=before, after=after)
    out.write(explained.report(out.layout))
