"""The built site, served to this machine alone."""

from __future__ import annotations

import errno
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mbprof
from mbprof.errors import UsageError, near_file

HOST = "127.0.0.1"
_OWN_NAMES = {"localhost", HOST, "::1"}
_PACKAGE = "mbprof_site"
PLAYGROUND = "playground/"
_STRICT = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGES = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""What generators of documentation put into their pages is allowed there, and nothing foreign."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Together they let the page interrupt what Python computes in it.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def site(folder: str | None = None) -> Path:
    """Return the folder of the built site: this one, that of an installed package, a checkout's.

    Raises: UsageError: there is none.
    """
    if folder is not None:
        if not _start(Path(folder)):
            hint = near_file(Path(folder)) or "give the folder that make site has built"
            raise UsageError(f"there is no built site in {folder}", hint=hint)
        return Path(folder)
    package = find_spec(_PACKAGE)
    places = (package.submodule_search_locations or []) if package else []
    checkout = Path(str(mbprof.__file__)).parent.parent / "site" / "build"
    for found in (*map(Path, places), checkout):
        if _start(found):
            return found
    hint = "pip install 'mbprof[serve]', or in a checkout make site"
    raise UsageError("there is no built site to serve", hint=hint)


def _start(folder: Path) -> str | None:
    """Return the path of the page that a site begins with, None if it has none."""
    pages = {"": folder / "index.html", PLAYGROUND: folder / PLAYGROUND / "index.html"}
    return next((f"/{path}" for path, page in pages.items() if page.is_file()), None)


class _Handler(SimpleHTTPRequestHandler):
    """Files of a folder, for those who ask for this machine by its own name."""

    server_version = "mbprof"
    sys_version = ""
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
        ".yaml": "text/plain; charset=utf-8",
    }

    def parse_request(self) -> bool:
        """Read a request; another host's name may be that of a page that looks in from outside."""
        if not super().parse_request():
            return False
        if self._host() in _OWN_NAMES:
            return True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "this is not that host")
        return False

    def _host(self) -> str | None:
        try:
            named = urlsplit(f"//{self.headers.get('Host', '')}")
        except ValueError:
            return None
        plain = named.username is None and not named.path
        return named.hostname if plain else None

    def list_directory(self, path: Any) -> None:
        """List no folder."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        inside = self.path.startswith(f"/{PLAYGROUND}") if hasattr(self, "path") else True
        self.send_header("Content-Security-Policy", _STRICT if inside else _PAGES)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of what goes well."""


def server(folder: Path, port: int) -> tuple[ThreadingHTTPServer, str]:
    """Return what serves a folder on this machine, and the address of its first page.

    Port 0 stands for one that is free. Raises: UsageError: the port cannot be had.
    """
    try:
        made = ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        why = "is in use" if taken else "cannot be had"
        hint = "give another --port; 0 finds one"
        raise UsageError(f"port {port} {why}", hint=hint) from None
    return made, f"http://{HOST}:{made.server_port}{_start(folder)}"
