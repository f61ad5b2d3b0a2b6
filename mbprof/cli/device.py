"""Commands about devices: the memory that a network needs there, and the time that it takes."""

from typing import Annotated

from typer import Argument, Exit, Option

from mbprof.cli.options import (
    Budgets,
    DeviceOption,
    DtypeOption,
    Knobs,
    MaxPeakOption,
    Output,
    Rows,
    SpecArgument,
    SpecsArgument,
    command,
    complain,
    listed,
)
from mbprof.errors import UsageError
from mbprof.language.record import NamedTuple

BatchOption = Annotated[int, Option("--batch", metavar="N", help="images at a time")]


class Train(NamedTuple):
    """How a network is trained."""

    optimizer: Annotated[
        str, Option("--optimizer", metavar="NAME", help="sgd, momentum or adam")
    ] = "sgd"
    batch: BatchOption = 1
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
    max_peak: MaxPeakOption = None,
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
    from mbprof.language.dtypes import DEFAULT
    from mbprof.language.fmt import integer
    from mbprof.network.load import load

    out = to.open()
    if not training and train != Train():
        raise UsageError("--optimizer, --batch, --checkpoint and --fit are about --training")
    given = knobs.typed()
    network = load(spec, given).build_at(given)
    if training:
        if inplace or patches or max_peak or not fuse or not image:
            asked = "--inplace, --patches, --max-peak, --no-fuse and --no-input"
            raise UsageError(f"{asked} are about inference")
        step = trained(network, dtype=dtype or DEFAULT, **train._asdict())
        out.table(step.report(out.layout), rows)
        return
    most = Budgets(max_peak=max_peak).budget().peak
    found = needed(
        network, dtype=dtype, inplace=listed(inplace), fuse=fuse, image=image,
        patches=_patches(patches), seconds=seconds,
    )  # fmt: skip
    out.table(found.report(out.layout), rows)
    if most is not None and found.best.peak > most.count:
        over = f"{integer(found.best.peak)} bytes are live at the peak of the best order"
        complain(f"MB901: {over}, {integer(found.best.peak - most.count)} above {max_peak}")
        raise Exit(1)


def _patches(text: str | None) -> int | bool:
    """Return how many patches a side are asked for: True for as many as is best."""
    if text is None or text == "auto":
        return text == "auto"
    if not text.isdecimal():
        raise UsageError(f"--patches {text}: expected a number or auto")
    return int(text)


@command(epilog="Example: mbprof latency mlperf_tiny_vww --device ethos_u55_128")
def latency(
    *,
    spec: SpecArgument,
    knobs: Knobs,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    batch: BatchOption = 1,
    rows: Rows,
    to: Output,
) -> None:
    """Say how long a network takes on a device, and what bounds each layer."""
    from mbprof.device.latency import latency as timed
    from mbprof.device.profiles import names
    from mbprof.language.fmt import either
    from mbprof.network.load import load

    out = to.open()
    if device is None:
        raise UsageError("latency needs a device", hint=f"--device {either(names())}, or a file")
    given = knobs.typed()
    network = load(spec, given).build_at(given)
    out.table(timed(network, device, dtype=dtype, batch=batch).report(out.layout), rows)


@command(epilog="Example: mbprof measure mobilenet_v2 --res 128")
def measure(
    *,
    specs: SpecsArgument,
    knobs: Knobs,
    device: DeviceOption = None,
    by: Annotated[str, Option("--by", metavar="WHAT", help="times by layer or net")] = "layer",
    threads: Annotated[int, Option("--threads", metavar="N", help="that compute an op")] = 1,
    warmup: Annotated[
        int, Option("--warm-up", metavar="N", help="runs before those that are measured")
    ] = 3,
    repeats: Annotated[int, Option("--repeats", metavar="N", help="runs whose median counts")] = 20,
    rows: Rows,
    to: Output,
) -> None:
    """Run networks under onnxruntime on this machine, and print measured beside predicted times."""
    from mbprof.network.load import load
    from mbprof.pages.measured import measure as measured

    out, given = to.open(), knobs.typed()
    networks = [load(spec, given).build_at(given) for spec in specs]
    found = measured(
        *networks, device=device, by=by, threads=threads, warmup=warmup, repeats=repeats
    )
    out.table(found.report(out.layout), rows)


@command(epilog="Example: mbprof calibrate measurements.csv --save mine.yaml")
def calibrate(
    *,
    file: Annotated[str, Argument(metavar="FILE.csv", help="measured times: spec, ms, and knobs")],
    terms: Annotated[
        str,
        Option(
            "--terms",
            metavar="A,B",
            help="of mac, activation, param and, of networks, constant",
        ),
    ] = "",
    save: Annotated[
        str | None, Option("--save", metavar="FILE.yaml", help="write a device that has the fit")
    ] = None,
    rows: Rows,
    to: Output,
) -> None:
    """Fit a device's time to measured networks, and say how far it is off."""
    from pathlib import PurePath

    from mbprof.device.calibrate import calibrate as fitted

    out = to.open()
    found = fitted(file, tuple(listed(terms)))
    if save is not None:
        found.save(save, PurePath(save).stem)
    out.table(found.report(out.layout), rows)
