"""The formats that a network is exported to, and the one way to each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbprof.errors import UsageError
from mbprof.language.record import NamedTuple
from mbprof.output.formats import Formats

if TYPE_CHECKING:
    from mbprof.language.fmt import Value
    from mbprof.network.load import Network, SpecLike


class Options(NamedTuple):
    """What can be asked of an export: its weights and their seed, and the size of its batch.

    ``file`` is the name of the file that it goes to, for files beside it; empty if there is none.
    """

    weights: bool = True
    seed: int = 0
    batch: int | None = None
    file: str = ""


class Parts(NamedTuple):
    """A file and what lies in files beside it, by what their names have behind the file's."""

    content: bytes
    beside: Mapping[str, Iterable[bytes]]


EXPORTS: Formats[str] = Formats()
"""The function of each format by its module; it makes text or bytes of a network and options."""

for _name, _function, *_endings in (
    ("onnx", "onnx_out.file:export", ".onnx"),
    ("torch", "source.torch_file:export", ".py"),
    ("keras", "source.keras_file:export", ".py"),
    ("dot", "drawings:dot", ".dot", ".gv"),
    ("mermaid", "drawings:mermaid", ".mmd", ".mermaid"),
):
    EXPORTS.add(_name, *_endings)(_function)


def export(
    spec: SpecLike,
    /,
    to: str | None = None,
    output: str | Path | None = None,
    *,
    weights: bool = True,
    seed: int = 0,
    batch: int | None = None,
    **knobs: Value,
) -> str | bytes:
    """Return a network in another format, and write it to ``output`` if that is given.

    The format is ``to``, or what the ending of ``output`` says. Weights are random, decided by
    ``seed``; without them a format has their names and shapes only. The batch is free, as far as
    the format has a name for it, unless ``batch`` gives its size.

    Raises: UsageError: no such format, a library is missing, or the file cannot be written.
    MbprofError: the spec makes no network at these values.

    >>> export("mobilenet_v1", "mermaid", alpha=0.5)[:12]
    'flowchart TB'
    """
    from mbprof.network.load import as_network

    path = None if output is None else str(output)
    made = exported(as_network(spec, **knobs), to, path, Options(weights, seed, batch))
    if path is not None:
        write(made, path)
    return made.content if isinstance(made, Parts) else made


def exported(
    network: Network, to: str | None, path: str | None, options: Options
) -> str | bytes | Parts:
    """Return a network in the format ``to``, or in that of the ending of ``path``.

    Raises: UsageError: see `export`.
    """
    if options.batch is not None and options.batch < 1:
        raise UsageError(f"a batch of {options.batch} holds no image")
    if to is None and path is None:
        raise UsageError("there is no format", hint=f"known are {', '.join(EXPORTS)}")
    module, _, name = EXPORTS.choose(to, path, option="--to").write.partition(":")
    function: Any = getattr(import_module(f"mbprof.exchange.{module}"), name)
    file = "" if path is None or path == "-" else Path(path).name
    made: str | bytes | Parts = function(network, options._replace(file=file))
    return made


def write(made: str | bytes | Parts, path: str | None) -> None:
    """Write what was exported to a file, or to standard output; files beside it are whole first.

    Raises: UsageError: it cannot be written.
    """
    from mbprof.output.files import bytes_to, emit

    with ExitStack() as stack:
        for ending, chunks in made.beside.items() if isinstance(made, Parts) else ():
            file = stack.enter_context(bytes_to(f"{path}{ending}"))
            file.writelines(chunks)
        emit(made.content if isinstance(made, Parts) else made, path)
