"""Commands about devices: the memory that a network needs there, and the time that it takes."""

from typing import Annotated, NamedTuple

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


class Train(NamedTuple):
    """How a network is trained."""

    optimizer: Annotated[
        str, Option("--optimizer", metavar="NAME", help="sgd, momentum or adam")
    ] = "sgd"
    batch: Annotated[int, Option("--batch", metavar="N", help="images of a step")] = 1
    checkpoint: Annotated[
        bool, Option("--checkpoint", help="keep the borders of segments, and run these again")
    ] = False
    fit: Annotated[
        str | None,
        Option("--fit", metavar="SIZE", help="find the largest batch that fits, such as 8GiB"),
    ] = None


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
    training: Annotated[
        bool, Option("--training", help="what a training step keeps, by layer")
    ] = False,
    train: Train,
    rows: Rows,
    to: Output,
) -> None:
    """Say how much memory a network needs to run, or to be trained."""
    from mbprof.device.memory import memory as needed
    from mbprof.device.training import training as trained
    from mbprof.network.load import load

    out, kind = to.open(), dtype or "float32"
    if not training and train != Train():
        raise UsageError("--optimizer, --batch, --checkpoint and --fit are about --training")
    network = load(spec).build_at(knobs.typed())
    if training:
        if inplace or patches or not fuse or not image:
            raise UsageError("--inplace, --patches, --no-fuse and --no-input are about inference")
        step = trained(network, dtype=kind, **train._asdict())
        out.table(step.report(out.layout), rows)
        return
    found = needed(
        network, dtype=kind, inplace=listed(inplace), fuse=fuse, image=image,
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
