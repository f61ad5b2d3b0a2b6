"""Commands about devices: the memory that a network needs there, and the time that it takes."""

from typing import Annotated

from typer import Option

from mbprof.cli.options import (
    DtypeOption,
    Knobs,
    Output,
    Rows,
    SpecArgument,
    command,
    listed,
)
from mbprof.errors import UsageError


@command(epilog="Example: mbprof memory mobilenet_v2 --dtype int8 --inplace add,depthwise")
def memory(
    *,
    spec: SpecArgument,
    knobs: Knobs,
    dtype: DtypeOption = None,
    inplace: Annotated[
        str | None,
        Option("--inplace", metavar="A,B", help="add, depthwise, elementwise, concat in place"),
    ] = None,
    fuse: Annotated[
        bool, Option("--fuse/--no-fuse", help="run norms and activations with the op before")
    ] = True,
    image: Annotated[
        bool, Option("--input/--no-input", help="whether the network's input counts")
    ] = True,
    patches: Annotated[
        str | None,
        Option("--patches", metavar="N|auto", help="run the first stage in N×N patches"),
    ] = None,
    seconds: Annotated[
        float, Option("--seconds", metavar="S", help="how long to look for the best order")
    ] = 5.0,
    rows: Rows,
    to: Output,
) -> None:
    """Say how much memory a network needs, step by step."""
    from mbprof.device.memory import memory as needed
    from mbprof.network.load import load

    out = to.open()
    found = needed(
        load(spec).build_at(knobs.typed()),
        dtype=dtype or "float32", inplace=listed(inplace), fuse=fuse, image=image,
        patches=_patches(patches), seconds=seconds,
    )  # fmt: skip
    out.table(found.report(out.layout), rows)


def _patches(text: str | None) -> int | bool:
    """Return how many patches a side are asked for: True for as many as is best."""
    if text is None or text == "auto":
        return text == "auto"
    if not text.isdecimal():
        raise UsageError(f"--patches {text}: expected a number or auto")
    return int(text)
