"""Make an archive of Python one of compiled modules; run by the Python of the page at its build."""

import compileall
import pathlib
import py_compile
import shutil
import zipfile

EPOCH = (1980, 1, 1, 0, 0, 0)
UNUSED = {
    "_pyrepl", "_aix_support", "_android_support", "_apple_support", "_ios_support", "bdb",
    "cProfile", "doctest", "ensurepip", "ftplib", "idlelib", "imaplib", "mailbox", "modulefinder",
    "multiprocessing", "optparse", "pdb", "pickletools", "poplib", "profile", "pstats", "pydoc",
    "pydoc_data", "smtplib", "socketserver", "this", "trace", "turtle", "turtledemo", "unittest",
    "venv", "webbrowser", "wsgiref", "xmlrpc", "zipapp",
}  # fmt: skip
"""Of the standard library: what tests, serves, mails, draws or debugs, which no page does."""
DOCUMENTED = {"_pyodide", "mbprof", "pyodide"}
UNUSED_CODECS = (
    "big5", "cp1", "cp7", "cp8", "cp9", "euc_", "gb", "hp_", "hz", "iso2022", "iso8859_", "johab",
    "koi8", "kz", "mac_", "ptcp", "shift_", "tis",
)  # fmt: skip


def used(path: pathlib.PurePath) -> bool:
    """Whether a file of an archive is one that the page may need."""
    top = path.parts[0].removesuffix(".py")
    legacy = path.parts[0] == "encodings" and path.name.startswith(UNUSED_CODECS)
    return top not in UNUSED and (not legacy or path.name == "iso8859_1.py")


def compiled(source: str, into: str) -> None:
    """Write an archive with the modules of another one compiled, without what no page needs."""
    folder = pathlib.Path("/compiled")
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(source) as archive:
        names = [name for name in archive.namelist() if used(pathlib.PurePath(name))]
        archive.extractall(folder, names)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for path in sorted(folder.iterdir()):
        # Rules of mbprof, and Pyodide's own functions, say by their docstrings what they are.
        optimize = 0 if path.name in DOCUMENTED else 2
        how = {"quiet": 1, "legacy": True, "invalidation_mode": mode, "optimize": optimize}
        if path.is_dir():
            assert compileall.compile_dir(path, ddir=path.name, **how)
        elif path.suffix == ".py":
            assert compileall.compile_file(path, ddir="", **how)
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".py":
                entry = zipfile.ZipInfo(str(path.relative_to(folder)), EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
