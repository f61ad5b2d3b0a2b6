"""What charts are drawn for: a light ground, a dark one, or any; and the colours on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib import colormaps, rcParams

from mbprof.errors import unknown
from mbprof.language.record import NamedTuple


class Theme(NamedTuple):
    """A ground, the greys from the ink to it, that of a grid, and the colours that are seen on it.

    ``shades`` is the part of the scale of colours, from dark to light.
    """

    ground: str
    greys: tuple[float, float]
    grid: str
    shades: tuple[float, float]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What matplotlib is told."""
        inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
        grounds = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
        return {
            **dict.fromkeys(inked, str(self.greys[0])),
            **dict.fromkeys(grounds, self.ground),
            "grid.color": self.grid,
        }


THEMES = {
    "light": Theme("white", (0.0, 1.0), "0.88", (0.0, 0.86)),
    "dark": Theme("#131518", (0.92, 0.08), "0.22", (0.22, 1.0)),
    "transparent": Theme("none", (0.5, 0.5), "#80808040", (0.2, 0.86)),
}
"""Every theme by its name; the ink of a transparent one is read on white and on black."""


def theme(name: str) -> Theme:
    """Return a theme.

    Raises: UsageError: there is none of that name.
    """
    if name not in THEMES:
        raise unknown("theme", name, THEMES)
    return THEMES[name]


def current() -> Theme:
    """Return the theme that is drawn in."""
    ground = rcParams["figure.facecolor"]
    return next((known for known in THEMES.values() if known.ground == ground), THEMES["light"])


def grey(level: float) -> str:
    """Return the grey at a level between the ink, 0, and the ground, 1."""
    ink, ground = current().greys
    return f"{ink + level * (ground - ink):.3g}"


def face() -> str:
    """Return what fills a hollow marker, and parts bars."""
    return current().ground


def shades(count: int) -> list[Any]:
    """Return colours from dark to light, told apart in grey and by the colour-blind."""
    low, high = current().shades
    scale = colormaps["viridis"]
    return [scale(low + (high - low) * i / max(1, count - 1)) for i in range(count)]
