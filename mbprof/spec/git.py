"""A spec as git remembers it: ``REV:PATH``, read from the repository of the current folder.

What a user typed reaches git on standard input, as a name and never as an option, without a shell.
"""

from __future__ import annotations

import os
import posixpath
import re

from mbprof.errors import Source, SourceError, closest
from mbprof.language.record import NamedTuple
from mbprof.language.source import decode, is_file

_SPLIT = re.compile(r"((?:[^:{]|\{[^}]*\})*):(.+)", re.S)
_MISSING = (b" missing", b" ambiguous")


class Revision(NamedTuple):
    """A file at a revision; without a revision, as it is staged.

    ``path`` is from the top of the repository, or from the current folder if it starts with ``./``
    or ``../``, as git has it.
    """

    rev: str
    path: str

    def __str__(self) -> str:
        return f"{self.rev}:{self.path}"


def revision(text: str) -> Revision | None:
    r"""Take ``REV:PATH`` apart; None if a text is a file, or does not have this form.

    >>> revision("main:specs/x.yaml")
    Revision(rev='main', path='specs/x.yaml')
    >>> revision("HEAD@{2026-01-31 12:00}:./x.yaml").rev
    'HEAD@{2026-01-31 12:00}'
    >>> revision("C:\\specs\\x.yaml"), revision("C:/specs/x.yaml"), revision("x.yaml")
    (None, None, None)
    """
    parts = _SPLIT.fullmatch(text)
    # A path of git is never absolute; these are drives, addresses and git's search (:/text).
    if parts is None or parts[2].startswith(("/", "\\")) or re.match(r"[A-Za-z]:.*\\", text):
        return None
    if any(ord(sign) < 32 for sign in text) or is_file(text):
        return None
    return Revision(parts[1], parts[2])


def beside(text: str, path: str) -> Revision | None:
    """Return the file at ``path`` from where ``REV:PATH`` stands; None if that is no revision.

    >>> beside("main:specs/x.yaml", "../base.yaml")
    Revision(rev='main', path='base.yaml')
    >>> beside("main:./x.yaml", "base.yaml")
    Revision(rev='main', path='./base.yaml')
    """
    here = revision(text)
    if here is None:
        return None
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(here.path), path))
    outside, from_here = joined.startswith("../"), here.path.startswith(("./", "../"))
    if outside == from_here:
        return Revision(here.rev, joined)
    # Above the top of the repository, with a slash in front, git finds nothing.
    return Revision(here.rev, f"./{joined}" if from_here else f"/{joined}")


def read(asked: Revision) -> Source:
    """Read a file at a revision.

    Raises: SourceError: there is no git, no repository, no such revision or no such file in it.
    """
    source = find(asked)
    if source is None:
        raise _missing(asked)
    return source


def find(asked: Revision) -> Source | None:
    """Read a file at a revision in one run of git; None if there is no such revision or file.

    Raises: SourceError: there is no git, no repository, or a directory of that name.
    """
    head, _, data = _git(asked, "--batch", str(asked)).partition(b"\n")
    if head.endswith(_MISSING):
        return None
    _, kind, size = head.split()
    if kind != b"blob":
        raise SourceError(f"{asked} is a directory, not a spec file")
    return decode(str(asked), data[: int(size)])


def _git(asked: Revision, what: str, name: str) -> bytes:
    """Run ``git cat-file`` and return what it says of an object by its name."""
    import subprocess

    environment = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "--no-pager", "cat-file", what]
    try:
        typed = f"{name}\n".encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise SourceError(f"cannot read {asked}: no file has such a name") from None
    try:
        done = subprocess.run(
            command, input=typed, capture_output=True, env=environment, check=False
        )
    except OSError as error:
        hint = "REV:PATH is a file at a revision; git is needed to read it"
        reason = "is not installed" if isinstance(error, FileNotFoundError) else error.strerror
        raise SourceError(f"cannot read {asked}: git {reason}", hint=hint) from None
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
    reason = said[0].removeprefix("fatal: ")
    if reason.startswith("not a git repository"):
        raise SourceError(
            f"there is no file {asked}, and this folder is not in a git repository",
            hint="REV:PATH is a file at a revision of the repository of the current folder",
        )
    raise SourceError(f"cannot read {asked}: git says: {reason}")


def _missing(asked: Revision) -> SourceError:
    """Return why there is no such file: the revision is unknown, or the path in it."""
    says = _git(asked, "--batch-check", f"{asked.rev}^{{tree}}") if asked.rev else b""
    if says.strip().endswith(_MISSING):
        return _no_revision(asked, ambiguous=says.strip().endswith(b" ambiguous"))
    where = f"at revision {asked.rev}" if asked.rev else "among the staged files"
    from_here = Revision(asked.rev, f"./{asked.path}")
    if asked.path.startswith(("./", "../")):
        hint = f"{asked.rev}:PATH is from the top of the repository, ./ from the current folder"
    elif b" blob " in _git(asked, "--batch-check", str(from_here)):
        hint = f"from the current folder it is {from_here}"
    else:
        hint = f"a path is from the top of the repository; {asked.rev}:./PATH from this folder"
    return SourceError(f"there is no {asked.path} {where}", hint=hint)


def _no_revision(asked: Revision, ambiguous: bool) -> SourceError:
    import subprocess

    # The names of branches and tags.
    command = ["git", "for-each-ref", "--count=500", "--format=%(refname:short)"]
    done = subprocess.run(command, capture_output=True, check=False)
    near = closest(asked.rev, ["HEAD", *done.stdout.decode(errors="replace").splitlines()])
    hint = f"did you mean {near}:{asked.path}?" if near else "git log lists the revisions"
    if ambiguous:
        hint = "give more digits of the commit"
    what = "ambiguous" if ambiguous else "unknown"
    return SourceError(f"cannot read {asked}: {what} revision {asked.rev!r}", hint=hint)
