"""Commands about design spaces: what they hold, and the best of it."""

from pathlib import Path
from typing import Annotated

from typer import Option

from mbprof.cli.options import (
    AlphasOption,
    Counted,
    Knobs,
    Limits,
    Output,
    ResolutionsOption,
    Rows,
    SpecArgument,
    command,
)

SettingsOption = Annotated[
    list[str] | None,
    Option("--set", metavar="NAME=VALUES", help="the same of any knob; repeatable"),
]
SeedOption = Annotated[int, Option("--seed", metavar="S", help="of what is random")]


@command(epilog="Example: mbprof space ofa_mobilenet_v3 --max-params 5M")
def space(
    *,
    spec: SpecArgument,
    alpha: AlphasOption = None,
    res: ResolutionsOption = None,
    settings: SettingsOption = None,
    seed: SeedOption = 0,
    limits: Limits,
    counted: Counted,
    rows: Rows,
    to: Output,
) -> None:
    """Say how many networks a spec's knobs make, and what they cost."""
    from mbprof.network.load import load
    from mbprof.sweeps.spaces.space import space_at

    out = to.open()
    given = Knobs(alpha, res, settings).typed()
    found = space_at(load(spec, given), given, **limits._asdict(), **counted._asdict(), seed=seed)
    out.table(found.report(out.layout), rows)


@command(epilog="Example: mbprof search ofa_mobilenet_v3 --max-macs 300M --maximize params")
def search(
    *,
    spec: SpecArgument,
    alpha: AlphasOption = None,
    res: ResolutionsOption = None,
    settings: SettingsOption = None,
    maximize: Annotated[
        str | None, Option("--maximize", metavar="COST", help="the most of params or macs")
    ] = None,
    minimize: Annotated[
        str | None, Option("--minimize", metavar="COST", help="the least of it")
    ] = None,
    front: Annotated[
        str | None,
        Option("--front", metavar="A,B", help="what nothing beats in these costs"),
    ] = None,
    population: Annotated[
        int, Option("--population", metavar="N", help="networks of a generation")
    ] = 200,
    generations: Annotated[
        int, Option("--generations", metavar="N", help="how often a population evolves")
    ] = 200,
    seed: SeedOption = 0,
    resume: Annotated[
        Path | None,
        Option("--resume", metavar="FILE", help="where an evolution stands, and goes on from"),
    ] = None,
    limits: Limits,
    counted: Counted,
    rows: Rows,
    to: Output,
) -> None:
    """Find the best network of a spec's knobs within limits."""
    from mbprof.network.load import load
    from mbprof.sweeps.spaces.search import search_at

    out = to.open("search")
    given = Knobs(alpha, res, settings).typed()
    found = search_at(
        load(spec, given), given, maximize=maximize, minimize=minimize, front=front or "",
        **limits._asdict(), **counted._asdict(),
        population=population, generations=generations, seed=seed, resume=resume,
    )  # fmt: skip
    out.table(found.report(out.layout), rows)
