"""Dossiers: all that is known about a network, or how several compare, as Markdown with charts."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from mbprof.errors import UsageError
from mbprof.language.fmt import Value, plain, spelled
from mbprof.language.source import Scalar, known_keys, mapping, parse, read, required, text, words
from mbprof.network import conventions
from mbprof.network.load import Spec, SpecLike, spec_at
from mbprof.network.profile import Profile, Table
from mbprof.ops.base import STORED
from mbprof.output import Column, inert, render
from mbprof.output.files import emit_all
from mbprof.pages import plot
from mbprof.pages.markdown import folded, numbered, tabled, worded
from mbprof.pages.points import best, default_res, front, has_width, settings
from mbprof.pages.points import sweep as swept
from mbprof.pages.running import On, memory, needed, time
from mbprof.published.verify import ERRATUM, verdict_report, verify
from mbprof.spec.knobs import typed
from mbprof.spec.sections import SCOPES

LIST = "reports.yaml"
"""The file of a folder of dossiers that says which there are."""

_LONG = 24
"""Tables of more rows are folded away."""


def report(
    *specs: SpecLike,
    title: str = "",
    output: str | Path | None = None,
    dtype: str | None = None,
    device: str | None = None,
    **knobs: Value,
) -> str:
    """Return all that is known about a network, or how several compare, as Markdown.

    With ``output``, a file that ends in ``.md``, it is written there, and its charts to a folder
    of the same name beside it; without, it has no charts. Memory is that at ``dtype``, time that
    on a ``device``. Knobs are of all networks.
    Raises: UsageError: no such spec, type or device, another ending, or a file that cannot be
    written. MbprofError: a spec cannot be read, or makes no network at these values.

    >>> report("squeezenet").splitlines()[0]
    '# squeezenet'
    """
    return report_at(specs, typed(knobs), title, output, On(dtype, device))


def report_at(
    specs: Sequence[SpecLike],
    given: Mapping[str, Scalar],
    title: str,
    output: str | Path | None,
    on: On,
) -> str:
    """Return a dossier, see `report`; ``given`` is what was typed for knobs."""
    if output is None:
        (page,) = build(specs, "report.md", title, "", given, on, charts=False).values()
        return page.decode()
    target = Path(output)
    before = "" if target.is_absolute() or target.parent == Path() else f"{target.parent}/"
    files = build(specs, target.name, title, before, given, on)
    emit_all({target.parent / name: data for name, data in files.items()})
    return files[target.name].decode()


def build(
    names: Sequence[SpecLike],
    file: str,
    title: str = "",
    folder: str = "",
    given: Mapping[str, Scalar] = MappingProxyType({}),
    on: On = On(),  # noqa: B008, which is frozen
    *,
    charts: bool = True,
) -> dict[str, bytes]:
    """Return the files of a dossier by their paths: the page, and its charts in a folder beside it.

    One spec is a dossier of that network, several compare them. ``folder`` stands before the
    file in the command that the page quotes.
    Raises: UsageError: no name, a file that does not end in ``.md``, no such spec. MbprofError: a
    spec cannot be read.
    """
    if not names:
        raise UsageError("a report needs at least one spec")
    if not file.endswith(".md"):
        raise UsageError(f"a report is Markdown; {file} does not end in .md")
    specs = [spec_at(name, given) for name in names]
    stem = file.removesuffix(".md")
    drawn = _charts(specs) if charts else {}
    quoted = ["--title", title] if title else []
    addresses = [spec.address or spec.name for spec in specs]
    turned = [word for name, value in given.items() for word in _option(name, value.text)]
    line = ["mbprof", "report", *addresses, *quoted, *turned, *on.typed, "-o", folder + file]
    made = inert.fenced(shlex.join(line), "sh")
    pictures = {name: f"{stem}/{name}.svg" for name in drawn}
    single = len(specs) == 1
    parts: Iterable[str] = (_single if single else _several)(specs, title, pictures, on)
    parts = (*parts, _counted(), "## How it was made", made)
    page = "\n\n".join(part.strip() for part in parts) + "\n"
    return {file: page.encode(), **{pictures[name]: data for name, data in drawn.items()}}


def regenerate(folder: str | Path, into: str | Path | None = None) -> None:
    """Write every dossier that the list of a folder names, into that folder or another one.

    Raises: SourceError, SpecError: the list cannot be read. UsageError: a file cannot be written.
    """
    here = Path(folder)
    target = Path(into) if into is not None else here
    written: dict[Path, bytes] = {}
    root = mapping(parse(read(here / LIST)), "a list of reports")
    for stem, entry in root.entries.items():
        item = mapping(entry.value, "a report")
        known_keys(item, ("title", "specs"), "a report")
        names = [word.text for word in words(required(item, "specs", "a report"), "specs")]
        files = build(names, f"{stem}.md", text(item, "title"), f"{here.name}/")
        written |= {target / name: data for name, data in files.items()}
    emit_all(written)


def _charts(specs: Sequence[Spec]) -> dict[str, bytes]:
    """Draw what there is to draw, by the kind of the chart."""
    unscored = _unscored(specs)
    if len(specs) > 1:
        wanted = {"accuracy": len(unscored) < len(specs), "cost": bool(unscored)}
        return {kind: plot.draw(specs, kind) for kind, drawn in wanted.items() if drawn}
    (spec,) = specs
    cost, grid = len(swept(spec)) > 1, has_width(spec)
    wanted = {"accuracy": not unscored, "cost": cost, "grid": grid, "layers": True}
    return {kind: plot.draw(specs, kind) for kind, drawn in wanted.items() if drawn}


def _unscored(specs: Sequence[Spec]) -> list[str]:
    """Return the networks of which no accuracy is published that a chart could show."""
    return [s.name for s in specs if all(point.top1 is None for point in swept(s))]


_ALT = {
    "accuracy": "Published top-1 against multiply-accumulates and parameters",
    "cost": "Multiply-accumulates and parameters",
    "grid": "Multiply-accumulates over width and resolution",
    "layers": "Parameters and multiply-accumulates of each layer",
}


def _picture(kind: str, pictures: Mapping[str, str]) -> str:
    return f"![{_ALT[kind]}]({quote(pictures[kind])})" if kind in pictures else ""


def _option(name: str, value: str) -> tuple[str, str]:
    """Return what is typed to give a knob a value."""
    return (f"--{name}", value) if name in ("alpha", "res") else ("--set", f"{name}={value}")


def _single(
    specs: Sequence[Spec], title: str, pictures: Mapping[str, str], on: On
) -> Iterator[str]:
    (spec,) = specs
    profiles = {scope: spec.build().profile(scope=scope) for scope in SCOPES}
    shown = profiles[spec.definition.scope]
    yield f"# {inert.markdown(title or spec.name)}"
    yield _about(spec)
    yield "## Totals"
    yield _totals(profiles)
    yield _kinds(profiles)
    yield memory(spec, on.dtype)
    yield from time(spec, on)
    yield "## Layers"
    yield _picture("layers", pictures)
    yield folded("every layer", render(shown.report(), "md"))
    yield "## Shares"
    yield _group(shown, "op")
    yield _group(shown, "block")
    yield "## Width and resolution" if has_width(spec) else "## Resolution"
    yield from (_picture(kind, pictures) for kind in ("accuracy", "cost", "grid"))
    yield _sweep(spec)
    yield "## Published and computed"
    yield _claims(spec)


def _about(spec: Spec) -> str:
    definition, (height, width) = spec.definition, default_res(spec)
    rows = {
        "what": inert.markdown(definition.doc),
        "family": inert.markdown(definition.family),
        "source": inert.markdown(definition.source),
        "spec": inert.code(definition.path),
        "input": f"{height}×{width}",
        "other flavours": ", ".join(inert.code(f"@{name}") for name in definition.flavours),
    }
    return "\n".join(f"- {name}: {value}" for name, value in rows.items() if value)


def _totals(profiles: Mapping[str, Profile]) -> str:
    counts = numbered(layers="layers", params="params", macs="MACs", activations="activations")
    rows = (
        {
            "scope": f"{name}: {'without the head' if name == 'body' else 'the whole network'}",
            "layers": profile.total.layers,
            "params": profile.total.params,
            "macs": profile.total.cost,
            "activations": profile.total.activations,
        }
        for name, profile in profiles.items()
    )
    return tabled(
        "Params, MACs and activations, convention kernels", (*worded(scope="scope"), *counts), rows
    )


def _kinds(profiles: Mapping[str, Profile]) -> str:
    counts = numbered(**{scope: f"scope {scope}" for scope in profiles})
    totals = {scope: profile.total.facts for scope, profile in profiles.items()}
    rows = [
        {"kind": doc, **{scope: getattr(facts, kind) for scope, facts in totals.items()}}
        for kind, doc in STORED.items()
        if any(getattr(facts, kind) for facts in totals.values())
    ]
    total = {"kind": "all", **{scope: facts.params for scope, facts in totals.items()}}
    return tabled(
        "Every stored value, by kind", (*worded(kind="stored values"), *counts), rows, total
    )


def _group(profile: Profile, by: str) -> str:
    columns = ("name", "layers", "params", "params_share", "macs", "macs_share")
    report = Table(profile, by, columns=columns).report()
    written = render(replace(report, title=f"Share by {by}", notes=()), "md")
    return folded(f"share by {by}", written) if len(report.rows) > _LONG else written


_POINT = (
    Column("alpha", "α", "", plain, numeric=True),
    Column("res", "resolution", "", plain, numeric=True),
    *numbered(params="params", macs="MACs"),
    Column("top1", "top-1 (%)", "", lambda value: str(float(value)), numeric=True),
)


def _sweep(spec: Spec) -> str:
    """Set the published top-1 beside the computed costs, and mark the front."""
    points = swept(spec)
    best_of = set(front(points))
    sources = dict.fromkeys(point.source for point in points if point.source)
    alpha, *costs, top1 = _POINT
    scored = (top1, Column("front", "front", "")) if sources else ()
    columns = (*([alpha] if has_width(spec) else ()), *costs, *scored)
    table = tabled(
        "Published top-1 beside computed costs" if sources else "Computed costs",
        columns,
        ({**point._asdict(), "front": "●" if point in best_of else ""} for point in points),
    )
    said = "Costs are of the whole network (scope all)."
    if sources:
        publishers = inert.markdown(", ".join(sources))
        said += (
            f" Top-1 on ImageNet-1k as published by {publishers}. ● marks the Pareto "
            "front: nothing of this series costs as few MACs and scores as high."
        )
    return f"{table}\n{said} {inert.markdown(settings(points))}"


def _claims(spec: Spec) -> str:
    stem = (spec.address or spec.name).partition("@")[0]
    own = tuple(verdict for verdict in verify(spec) if verdict.spec.partition("@")[0] == stem)
    if not own:
        return "Nobody's numbers are recorded for this network."
    report = verdict_report(own)
    columns = [column for column in report.columns if column.name != "source"]
    parts = [
        tabled(source, columns, (row for row in report.rows if row["source"] == source))
        for source in dict.fromkeys(verdict.source for verdict in own)
    ]
    reasons = dict.fromkeys(
        "- "
        + inert.markdown(
            f"{', '.join(filter(None, (v.spec, spelled(v.at))))} ({v.source}): {v.erratum}"
        )
        for v in own
        if v.verdict == ERRATUM
    )
    wrong = "\n".join(["Wrong at their source:", "", *reasons]) if reasons else ""
    claims = folded("every claim", "\n".join(parts))
    return f"{inert.markdown(report.title)}\n\n{claims}\n\n{wrong}"


def _several(
    specs: Sequence[Spec], title: str, pictures: Mapping[str, str], on: On
) -> Iterator[str]:
    yield f"# {inert.markdown(title or ', '.join(spec.name for spec in specs))}"
    yield (
        "Each network at its default width and resolution, with the best top-1 that is published "
        "for it there."
    )
    if unscored := _unscored(specs):
        names = ", ".join(map(inert.code, unscored))
        yield f"No accuracy is published for {names}, so that costs are compared, too."
    yield from (_picture(kind, pictures) for kind in ("accuracy", "cost"))
    columns = (*worded(spec="network"), *_POINT)
    points = [best(spec) for spec in specs]
    ranked = sorted(points, key=lambda point: (point.macs, point.spec))
    yield tabled("By MACs of the whole network", columns, (point._asdict() for point in ranked))
    yield (
        "A blank top-1 means that none is recorded at this size. Distilled networks and those "
        "trained on more data are left out. What is left still differs in training, which is worth "
        "several points: top-1 of two sources says little about their networks."
    )
    yield from needed(specs, on)
    named = worded(network="network", paper="the network's source", top1="source of its top-1")
    rows = [
        {"network": spec.name, "paper": spec.definition.source, "top1": point.source}
        for spec, point in zip(specs, points, strict=True)
    ]
    origins = tabled("Where the networks and accuracies come from", named, rows)
    yield folded("sources", origins)


def _counted() -> str:
    convention = conventions.load(conventions.DEFAULT)
    return (
        "## How it was counted\n\n"
        f"- Convention `{convention.name}`: {convention.doc}. One MAC is one multiplication with "
        "its addition; padding taps count.\n"
        "- Scope `body` is the network without its head, `all` is all of it.\n"
        "- Counts are exact integers for one image. Shares are rounded to one decimal, numbers in "
        "charts to three digits. Published numbers stand as printed."
    )
