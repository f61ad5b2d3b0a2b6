"""The spec language: from a located tree to a frozen Spec, and what a text names."""

from mbprof.spec.zoo import OpenedBlock, OpenedSpec, open, open_block  # noqa: A004

__all__ = ["OpenedBlock", "OpenedSpec", "open", "open_block"]
