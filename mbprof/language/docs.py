"""What a function or class says of itself, which ``python -OO`` takes away and the source keeps."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any


def docstring(function: Callable[..., Any]) -> str:
    """Return the docstring of a function or class without its indentation; empty if it has none.

    >>> docstring(docstring).partition(";")[0]
    'Return the docstring of a function or class without its indentation'
    """
    # One without is given that of its base; a dataclass without one says how it is called.
    said = inspect.getdoc(function) if function.__doc__ else None
    if said and not said.startswith(f"{function.__name__}("):
        return said
    (tree,) = ast.parse(inspect.cleandoc(inspect.getsource(function))).body
    return ast.get_docstring(tree) or "" if isinstance(tree, ast.FunctionDef | ast.ClassDef) else ""
