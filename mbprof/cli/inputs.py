"""What a command line describes beyond one network: several of them, or many configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbprof.language.source import Scalar
    from mbprof.network.load import Network, Spec
    from mbprof.sweeps.axes import Plan


def networks_of(specs: list[str], given: dict[str, Scalar]) -> tuple[list[Network], list[str]]:
    """Build each network at what its argument says, else at what is given for all.

    Returns: the networks, and what each was called.
    """
    from mbprof.errors import MbprofError, UsageError
    from mbprof.network.load import Spec
    from mbprof.spec import zoo
    from mbprof.spec.block import lone

    taken = [_settings(spec) for spec in specs]
    if sum(name == "-" for name, _ in taken) > 1:
        raise UsageError("- is given twice; standard input can be read once")
    networks = []
    for name, own in taken:
        opened, knobs = zoo.open(name), {**given, **own}
        if isinstance(opened, zoo.OpenedBlock):
            networks.append(Spec(lone(opened, None, knobs).definition).build())
            continue
        spec = Spec(opened.definition)
        try:
            networks.append(spec.build_at(knobs))
        except MbprofError as error:
            raise error.through(f"in the network {name}") from None
    return networks, [name for name, _ in taken]


def _settings(text: str) -> tuple[str, dict[str, Scalar]]:
    """Take ``SPEC,KNOB=VALUE,...`` apart, from the right; a file is called as it is."""
    import re
    from pathlib import Path

    from mbprof.errors import Loc, Source, UsageError
    from mbprof.language.source import COMMAND_LINE, Scalar

    source = Source(COMMAND_LINE, text)
    spec, own = text, {}
    while not Path(spec).is_file():
        found = re.fullmatch(r"(.+),\s*(\w+)=([^,]*)", spec, re.S)
        if found is None:
            break
        spec, name, value = found.groups()
        if name in own:
            raise UsageError(f"{text}: {name} is set twice")
        own[name] = Scalar(value, Loc(source, 1, found.start(3) + 1))
    if "," in spec and not Path(spec).is_file() and ":" not in spec:
        raise UsageError(f"{text}: expected SPEC,KNOB=VALUE,...")
    return spec, own


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
    spec: Spec, given: dict[str, Scalar], random: int | None, seed: int, configs: str | None
) -> Plan:
    """Return which configurations the command line asks for."""
    from pathlib import Path

    from mbprof.errors import UsageError
    from mbprof.sweeps.axes import planned, read_configs

    if configs is not None:
        if given or random is not None:
            raise UsageError("--configs says all there is to cost; leave the axes and --random out")
        return planned(spec, {}, read_configs(Path(configs)))
    if not given:
        raise UsageError("there is nothing to sweep", hint="give an axis, such as --alpha 0.5,1.0")
    return planned(spec, given, None, random, seed)
