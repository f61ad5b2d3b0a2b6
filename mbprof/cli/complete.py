"""What a shell completes: names of specs and blocks, and the values of options.

Each function is asked what stands for a beginning; a shell falls back to files where nothing does.
"""

import os
from collections.abc import Callable, Iterable
from typing import TypeAlias

Completer: TypeAlias = Callable[[str], list[str]]


def asked(completer: Completer) -> Completer | None:
    """Return what completes, where a shell asks: other runs do not pay for looking at it."""
    return completer if "_MBPROF_COMPLETE" in os.environ else None


def _beginning(text: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(text)]


@asked
def specs(incomplete: str) -> list[str]:
    """Return the networks of the zoo by the names of their files, none of which is parsed."""
    from mbprof.spec.zoo import spec_names

    return _beginning(incomplete, spec_names())


@asked
def blocks(incomplete: str) -> list[str]:
    """Return the blocks of the library."""
    from mbprof.spec.zoo import block_names

    return _beginning(incomplete, block_names())


@asked
def designs(incomplete: str) -> list[str]:
    """Return what is a spec or a block."""
    from mbprof.spec.zoo import block_names, spec_names

    return _beginning(incomplete, [*spec_names(), *block_names()])


@asked
def conventions(incomplete: str) -> list[str]:
    """Return the conventions that come with mbprof."""
    from mbprof.network.conventions import names

    return _beginning(incomplete, names())


@asked
def scopes(incomplete: str) -> list[str]:
    """Return the scopes."""
    from mbprof.spec.sections import SCOPES

    return _beginning(incomplete, SCOPES)
