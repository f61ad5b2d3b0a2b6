"""Commands about other formats: convert, export."""

from typing import Annotated

from typer import Option

from mbprof.cli.options import Knobs, OutputOption, SpecArgument, command


@command(epilog="Example: mbprof convert model.onnx -o spec.yaml")
def convert(*, spec: SpecArgument, knobs: Knobs, output: OutputOption = None) -> None:
    """Write a network as a spec: with blocks and tables where it repeats itself, else flat."""
    from mbprof.exchange.convert.spec import converted
    from mbprof.output.files import emit

    emit(converted(spec, knobs.typed()), output)


@command(epilog="Example: mbprof export mobilenet_v2 --res 96 -o mobilenet_v2.onnx")
def export(
    *,
    spec: SpecArgument,
    knobs: Knobs,
    to: Annotated[
        str | None,
        Option(
            "--to", metavar="FORMAT", help="onnx, torch, keras, dot or mermaid; else as FILE ends"
        ),
    ] = None,
    output: OutputOption = None,
    weights: Annotated[
        bool, Option("--weights/--no-weights", help="random weights, or their shapes only")
    ] = True,
    seed: Annotated[int, Option("--seed", metavar="S", help="of what is random")] = 0,
    batch: Annotated[int | None, Option("--batch", metavar="N", help="images at a time")] = None,
) -> None:
    """Write a network in a format that others run or draw."""
    from mbprof.exchange.formats import Options, exported, write
    from mbprof.network.load import load

    given = knobs.typed()
    network = load(spec, given).build_at(given)
    write(exported(network, to, output, Options(weights, seed, batch)), output)
