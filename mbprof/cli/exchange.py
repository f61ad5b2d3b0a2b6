"""Commands about other formats: convert."""

from mbprof.cli.options import Knobs, OutputOption, SpecArgument, command


@command(epilog="Example: mbprof convert model.onnx -o spec.yaml")
def convert(*, spec: SpecArgument, knobs: Knobs, output: OutputOption = None) -> None:
    """Write a network as a spec: with blocks and tables where it repeats itself, else flat."""
    from mbprof.exchange.convert import converted
    from mbprof.output.files import emit

    emit(converted(spec, knobs.typed()), output)
