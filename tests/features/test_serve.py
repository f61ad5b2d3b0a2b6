"""mbprof serve: the built site for this machine alone."""

import http.client
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mbprof.cli import serve
from tests.conftest import MBPROF, ROOT, child, invoke, started


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "playground").mkdir(parents=True)
    (folder / "index.html").write_text("<title>docs</title>")
    (folder / "playground" / "index.html").write_text("<title>play</title>")
    (folder / "playground" / "a.wasm").write_bytes(b"\0asm")
    (folder / "playground" / "a.mjs").write_text("1")
    (tmp_path / "secret").write_text("no")
    return folder


@pytest.fixture
def port(built: Path) -> Iterator[int]:
    command = (*MBPROF, "serve", str(built), "--port", "0", "--no-browser")
    with started(sys.executable, "-u", *command[1:]) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.fullmatch(r"serving (http://127\.0\.0\.1:\d+/) until interrupted\n", said)
        assert found, said
        yield urlsplit(found[1]).port or 0
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


def test_a_package_of_the_built_site_is_served(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, packages = tmp_path / "checkout", tmp_path / "packages"
    for path in ("site/pyproject.toml", "mbprof/__init__.py"):
        (checkout / path).parent.mkdir(parents=True)
        shutil.copy(ROOT / path, checkout / path)
    project = checkout / "site"
    shutil.move(built, project / "build")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    wheel = (*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index")
    assert child(*wheel, "--wheel-dir", str(tmp_path), str(project)).status == 0
    (made,) = tmp_path.glob("mbprof_site-*.whl")
    install = (*pip, "install", "--no-deps", "--no-index", "--target", str(packages), str(made))
    assert child(*install).status == 0
    monkeypatch.setenv("PYTHONPATH", str(packages))
    found = child(sys.executable, "-c", "from mbprof.cli.serve import site; print(site())")
    assert Path(found.out.strip()) == packages / "mbprof_site"
    assert (packages / "mbprof_site" / "playground" / "a.wasm").read_bytes() == b"\0asm"
    serving = (*MBPROF[1:], "serve", "--port", "0", "--no-browser")
    with started(sys.executable, "-u", *serving) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[1]
        assert asked(urlsplit(address).port or 0, "/")[1] == "<title>docs</title>"


def asked(port: int, path: str, host: str | None = None, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=host is not None)
    if host:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read().decode(errors="replace")


def headers(port: int, path: str) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    return dict(connection.getresponse().getheaders())


def test_it_serves_the_site_to_this_machine_alone(port: int) -> None:
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost", "[::1]:80", "LOCALHOST"):
        assert asked(port, "/", host) == (200, "<title>docs</title>"), host
    for host in ("example.org", f"127.0.0.1.example.org:{port}", "localhost@example.org", "[", ""):
        assert asked(port, "/", host)[0] in (400, 421), host
    assert asked(port, "/playground/")[1] == "<title>play</title>"


def test_nothing_else_is_served(port: int) -> None:
    assert asked(port, "/../secret")[0] == 404
    assert asked(port, "/%2e%2e/secret")[0] == 404
    assert asked(port, "/nothing")[0] == 404
    assert asked(port, "/", method="POST")[0] == 501


def test_its_headers_allow_nothing_foreign(port: int) -> None:
    inside, outside = headers(port, "/playground/"), headers(port, "/")
    assert inside["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self' ")
    assert "'unsafe-inline'" not in inside["Content-Security-Policy"].split("style-src")[0]
    for found in (inside, outside):
        assert found["X-Content-Type-Options"] == "nosniff"
        assert found["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert "http" not in found["Content-Security-Policy"]
        assert "*" not in found["Content-Security-Policy"]
    assert headers(port, "/playground/a.wasm")["Content-type"] == "application/wasm"
    assert headers(port, "/playground/a.mjs")["Content-type"] == "text/javascript"


def test_the_site_is_found_where_it_is(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serve.site(str(built)) == built
    package = tmp_path / "installed" / "mbprof_site"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "index.html").touch()
    monkeypatch.syspath_prepend(package.parent)
    assert serve.site() == package


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["nowhere"],
            "error[usage]: there is no built site in nowhere\n"
            "  hint: give the folder that make site has built\n",
        ),
        (
            [".", "--port", "99999"],
            "error[usage]: port 99999 cannot be had\n  hint: give another --port; 0 finds one\n",
        ),
    ],
)
def test_what_cannot_be_served_is_said(
    arguments: list[str], said: str, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built)
    assert invoke("serve", *arguments, "--no-browser") == ("", said, 2)


def test_a_checkout_without_a_site_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbprof.__file__", str(tmp_path / "mbprof" / "__init__.py"))
    assert invoke("serve", "--no-browser").err == (
        "error[usage]: there is no built site to serve\n"
        "  hint: pip install 'mbprof[serve]', or in a checkout make site\n"
    )
