"""What a function says of itself, which ``python -OO`` takes away and the source keeps."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any


def docstring(function: Callable[..., Any]) -> str:
    """Return a function's docstring without its indentation; empty if it has none.

    >>> docstring(docstring).partition(";")[0]
    "Return a function's docstring without its indentation"
    """
    if said := inspect.getdoc(function):
        return said
    (tree,) = ast.parse(inspect.cleandoc(inspect.getsource(function))).body
    return ast.get_docstring(tree) or "" if isinstance(tree, ast.FunctionDef) else ""
