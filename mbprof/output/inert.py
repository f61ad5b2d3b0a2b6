"""Text that comes from specs and file names, made harmless where it goes: a function a medium.

Specs are sent by strangers. What they hold is text everywhere: it moves no cursor, starts no
markup, mentions nobody, commands no runner, and is computed by no spreadsheet. Writers call these
functions, each that of its medium; whoever makes a text does not.
"""

from __future__ import annotations

import re

from mbprof.errors import visible

_COMMAND = r"(?m)^( *):(?=:)|##(?=\w*\[)"
"""What makes a line of a log a command to the machine that runs the job."""
_MARKDOWN = (
    r"(?P<alone>(?<!\w)@(?=\w)|(?<=\w)@(?=[\w-]+\.\w)|(?<!\w)#(?=\d))"
    r"|(?P<end>:(?=//)|(?<=\bwww)\.)|[\\`*_|<\[\]~$]|&(?=#?\w+;)"
)
"""Mentions, addresses and numbers of issues; addresses of pages; signs of markup."""
_MARKDOWN_START = (
    r"^(?:(?=>|#{1,6}(?: |$)|[-+](?: |$)|(?:-[ -]*|=[= ]*)$|::)|(\d{1,9})(?=[.)](?: |$)))"
)
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
_RARE = r"[^\n -~]"
_COMPUTED = re.compile(r"\s*[=+\-@\t\r＝＋－＠]")
_NUMBER = r"(?i)[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"
_LINK = r"[\\\[\]]"


def terminal(text: str) -> str:
    r"""Return text for a terminal or a log: its line breaks stay, nothing else moves the cursor.

    No line of it is a command to the machine that runs a job.

    >>> terminal("a\tb\n::error::c")
    'a\\x09b\n\\x3a:error::c'
    """
    return re.sub(
        _COMMAND, lambda m: "#\\x23" if m[1] is None else f"{m[1]}\\x3a", visible(text, "\n")
    )


def line(text: str) -> str:
    r"""Return the text as one line of a terminal, a comment or a chart.

    >>> line("a\nb\u202ec")
    'a b<U+202E>c'
    """
    return terminal(text.replace("\n", " "))


def markdown(text: str) -> str:
    r"""Return one line of Markdown that renders as the text: no link, image, mention or HTML.

    >>> markdown("![x](y) @team <b> `c`")
    '!\\[x\\](y) `@`team \\<b> \\`c\\`'
    >>> markdown("1. https://x.org")
    '1\\. https\\://x.org'
    """
    escaped = re.sub(_MARKDOWN, _escaped, visible(text.replace("\n", " ")).lstrip(" "))
    return re.sub(_MARKDOWN_START, lambda m: f"{m[1] or ''}\\", escaped)


def _escaped(sign: re.Match[str]) -> str:
    # A code host looks for mentions when the backslashes are gone, but not in code.
    return f"`{sign[0]}`" if sign["alone"] else f"\\{sign[0]}"


def code(text: str, cell: bool = False) -> str:
    r"""Return a Markdown code span; its fence is longer than any run of backticks inside.

    In a ``cell`` of a table a bar does not end the cell.

    >>> code("specs/a.yaml"), code("a`b"), code("a|b", cell=True)
    ('`specs/a.yaml`', '`` a`b ``', '`a\\|b`')
    """
    shown = line(text) or " "
    fence = "`" * (1 + _longest_run(shown))
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown.replace('|', chr(92) + '|') if cell else shown}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Return a Markdown code block; its fence is longer than any run of backticks inside.

    >>> fenced("a```b").splitlines()[0]
    '````'
    """
    fence = "`" * max(3, 1 + _longest_run(text))
    return f"{fence}{language}\n{terminal(text).rstrip()}\n{fence}\n"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def html(text: str) -> str:
    """Return the text for an HTML page, between tags or in quotes.

    >>> html('<a href="x">')
    '&lt;a href=&quot;x&quot;&gt;'
    """
    from html import escape

    return escape(terminal(text))


def latex(text: str) -> str:
    r"""Return one line of LaTeX that prints the text and runs no command.

    >>> latex("50% of a_b\n\\input")
    '50\\% of a\\_b \\textbackslash{}input'
    """
    escaped = "".join(_LATEX.get(char, char) for char in line(text))
    # The end of the row above would take these as its own.
    return f"{{}}{escaped}" if escaped.lstrip().startswith(("[", "*")) else escaped


def cell(text: str) -> str:
    r"""Return the text for a cell of a table that spreadsheets open: they compute nothing of it.

    A text that they would take for a formula gets an apostrophe before it; a number stays.

    >>> cell("=1+1"), cell("conv_1"), cell("-0.5")
    ("'=1+1", 'conv_1', '-0.5')
    """
    computed = _COMPUTED.match(text) and not re.fullmatch(_NUMBER, text)
    return ("'" if computed else "") + terminal(text)


def json(text: str) -> str:
    r"""Return JSON with whatever acts or hides in its texts as numbers, which read the same.

    >>> json('"a\x7f\u202e##[b"')
    '"a\\u007f\\u202e#\\u0023[b"'
    """
    shown = re.sub(_RARE, lambda m: m[0] if visible(m[0]) == m[0] else _number(m[0]), text)
    return re.sub(_COMMAND, lambda m: m[0] if m[1] is not None else "#\\u0023", shown)


def _number(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def sarif(text: str) -> str:
    r"""Return a message of SARIF that is no link.

    Source: OASIS, Static Analysis Results Interchange Format 2.1.0, section 3.11.6.

    >>> sarif("see [a](b)")
    'see \\[a\\](b)'
    """
    shown = visible(text, "\n")
    return re.sub(_LINK, r"\\\g<0>", shown) if "](" in shown else shown
