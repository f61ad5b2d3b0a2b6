"""Charts written to files: the same specs and settings give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mbprof.errors import UsageError, nearest
from mbprof.network.load import Spec

if TYPE_CHECKING:
    from mbprof.pages.charts.kinds import Kind

DEFAULT = "accuracy"


def kinds() -> dict[str, str]:
    """Return the kinds of charts, each with what it shows.

    >>> sorted(kinds())
    ['accuracy', 'cost', 'grid', 'layers']
    """
    return {name: kind.doc for name, kind in _kinds().items()}


def _kinds() -> dict[str, Kind]:
    # matplotlib takes longer to load than a whole table to compute.
    from mbprof.pages.charts import costs, fronts  # noqa: F401 - they register their charts
    from mbprof.pages.charts.kinds import KINDS

    return dict(sorted(KINDS.items()))


def draw(
    specs: Sequence[Spec],
    kind: str = DEFAULT,
    format: str = "svg",
    *,
    alphas: Sequence[float] = (),
    sides: Sequence[int] = (),
    scope: str = "all",
) -> bytes:
    """Draw a chart and return the bytes of its file; ``format`` is svg, png or pdf.

    Raises: UsageError: no such kind, format or scope, no spec, or a chart that the specs do not
    allow. MbprofError: a configuration that a network does not take.

    >>> from mbprof.network.load import load
    >>> draw([load("mobilenet_v1")], "grid")[:5]
    b'<?xml'
    """
    from mbprof.network.profile import SCOPES
    from mbprof.pages.charts import style
    from mbprof.pages.charts.kinds import Options

    known = _kinds()
    for value, allowed, what in (
        (kind, tuple(known), "kind of chart"),
        (format, style.FORMATS, "format of charts"),
        (scope, SCOPES, "scope"),
    ):
        if value not in allowed:
            raise UsageError(f"unknown {what} {value!r}", hint=nearest(value, allowed))
    if not specs:
        raise UsageError("a chart needs at least one spec")
    options = Options(tuple(alphas), tuple(sides), scope)
    with style.look():
        return style.saved(known[kind].draw(specs, options), format)


def write(
    path: str | Path,
    specs: Sequence[Spec],
    kind: str = DEFAULT,
    *,
    alphas: Sequence[float] = (),
    sides: Sequence[int] = (),
    scope: str = "all",
) -> None:
    """Draw a chart into a file, whose ending chooses the format: svg, png or pdf.

    Raises: UsageError: see `draw`; or the file cannot be written.
    """
    target = Path(path)
    if not target.suffix:
        raise UsageError(f"{target} has no ending", hint="end it in .svg, .png or .pdf")
    ending = target.suffix.removeprefix(".").lower()
    data = draw(specs, kind, ending, alphas=alphas, sides=sides, scope=scope)
    save(target, data)


def save(target: Path, data: bytes) -> None:
    """Write the bytes of a file whole or not at all.

    Raises: UsageError: the file cannot be written.
    """
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a directory")
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {target}: there is no folder {target.parent}")
    aside = target.with_name(f".{target.name}.part")
    try:
        aside.write_bytes(data)
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise UsageError(f"cannot write {target}: {error.strerror or error}") from None
