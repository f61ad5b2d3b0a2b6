"""What a command line describes beyond one network: several of them, or many configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from mbprof.errors import Loc
    from mbprof.network.load import Network, Spec
    from mbprof.sweeps.axes import Plan

Given: TypeAlias = "dict[str, tuple[str, Loc]]"


def networks_of(specs: list[str], given: Given) -> tuple[list[Network], list[str]]:
    """Build each network at what its argument says, else at what is given for all.

    Returns: the networks, and what each was called.
    """
    from mbprof.errors import MbprofError, UsageError
    from mbprof.language.values import parse
    from mbprof.network.block import alone, is_block
    from mbprof.network.load import load

    taken = [_settings(spec) for spec in specs]
    if sum(name == "-" for name, _ in taken) > 1:
        raise UsageError("- is given twice; standard input can be read once")
    networks = []
    for name, own in taken:
        knobs = {**given, **own}
        if is_block(name):
            networks.append(alone(name, None, knobs).build())
            continue
        values = {knob: parse(text) for knob, (text, _) in knobs.items()}
        spec = load(name)
        try:
            networks.append(spec.build_at(values, {k: loc for k, (_, loc) in knobs.items()}))
        except MbprofError as error:
            raise error.through(f"in the network {name}") from None
    return networks, [name for name, _ in taken]


def _settings(text: str) -> tuple[str, Given]:
    """Take ``SPEC,KNOB=VALUE,...`` apart, from the right; a file is called as it is."""
    import re
    from pathlib import Path

    from mbprof.errors import Loc, Source, UsageError

    source = Source("command line", text)
    spec, own = text, {}
    while not Path(spec).is_file():
        found = re.fullmatch(r"(.+),\s*(\w+)=([^,]*)", spec, re.S)
        if found is None:
            break
        spec, name, value = found.groups()
        if name in own:
            raise UsageError(f"{text}: {name} is set twice")
        own[name] = (value, Loc(source, 1, found.start(3) + 1))
    if "," in spec and not Path(spec).is_file() and ":" not in spec:
        raise UsageError(f"{text}: expected SPEC,KNOB=VALUE,...")
    return spec, own


def values_of(name: str, text: str | None, kind: str) -> tuple[Any, ...]:
    """Return the values of an option that takes several, all above 0: ``number`` or ``int``."""
    from mbprof.errors import Loc, Source
    from mbprof.spec.knobs import Knob
    from mbprof.sweeps.axes import read_axis

    if text is None:
        return ()
    option = f"--{name} "
    place = Loc(Source("command line", option + text), 1, len(option) + 1)
    return read_axis(Knob(name, 1, kind, "", above=0), text, place).values


def plan_of(
    spec: Spec,
    given: dict[str, tuple[str, Loc]],
    random: int | None,
    seed: int,
    configs: str | None,
) -> Plan:
    """Return which configurations the command line asks for."""
    from pathlib import Path

    from mbprof.errors import UsageError
    from mbprof.sweeps.axes import Grid, Random, knob_of, listed, read_axis, read_configs

    knobs = spec.definition.knobs
    if configs is not None:
        if given or random is not None:
            raise UsageError("--configs says all there is to cost; leave the axes and --random out")
        return listed(knobs, read_configs(Path(configs)), spec.name)
    if not given:
        raise UsageError("there is nothing to sweep", hint="give an axis, such as --alpha 0.5,1.0")
    axes = tuple(
        read_axis(knob_of(knobs, name, loc, spec.name), text, loc, random is not None)
        for name, (text, loc) in given.items()
    )
    if random is None:
        return Grid(axes)
    if random < 1 or seed < 0:
        raise UsageError("--random must be at least 1 and --seed at least 0")
    return Random(axes, random, seed)
