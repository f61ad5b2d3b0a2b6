"""The manual: every topic has a page, in a terminal and on the site, and links lead somewhere."""

import base64
import hashlib
import importlib.metadata
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import mbprof
from mbprof.cli.manual import kinds
from mbprof.cli.run import app
from mbprof.errors import MbprofError, UsageError
from mbprof.output import Screen, formats, prose
from mbprof.pages import reference, topics
from mbprof.spec import zoo
from tests.conftest import ROOT, child, invoke, loaded_by, run

NETWORKS = ["ghostnet", "mobilenet_v2", "resnet50", "unet_padded", "vit", "yolo_v3_tiny"]


def named(kind: str) -> list[str]:
    return NETWORKS if kind == "network" else list(kinds()[kind].names())


def anchors(page: str) -> set[str]:
    """Return the anchors that code hosts give to the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def without_code(page: str) -> str:
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", page, flags=re.M | re.S)


def targets(page: str) -> list[str]:
    """Return where the links of a page lead, but those to elsewhere."""
    return re.findall(r"\]\((?!\w+:)([^)\s]+)\)", without_code(page))


def source(folder: str, name: str) -> str | None:
    """Return the page that stands somewhere on the site, None if there is none."""
    if folder.startswith("docs"):
        path = ROOT / folder / f"{name}.md"
        return path.read_text(encoding="utf-8") if path.is_file() else None
    kind = next(kind for kind in kinds().values() if kind.folder == folder)
    return "" if name in kind.names() else None


@pytest.mark.parametrize("kind", [*kinds()])
def test_every_topic_has_a_page_whose_links_lead_somewhere(kind: str) -> None:
    folder = kinds()[kind].folder
    for name in named(kind):
        topic = mbprof.docs(f"{kind}/{name}")
        assert (topic.kind, topic.name) == (kind, name)
        assert topics.title(topic.text), name
        shown = prose.drawn(topic.page, Screen(80))
        assert max(map(len, shown.splitlines())) <= 80, name
        assert "](" not in without_code(prose.unlinked(topic.text))
        if kind == "guide":
            continue  # below, as they stand in the repository
        for target in targets(topic.text):
            path, _, anchor = target.partition("#")
            led = Path(os.path.normpath(Path(folder, unquote(path))))
            found = source(str(led.parent), led.stem)
            assert found is not None, (name, target)
            assert not anchor or anchor in anchors(found), (name, target)


@pytest.mark.parametrize(
    "path", sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]), ids=lambda path: path.name
)
def test_links_of_the_guides_lead_to_files_and_headings(path: Path) -> None:
    for target in targets(path.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        led = (path.parent / file).resolve() if file else path
        assert led.exists(), target
        assert led.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(led.read_text(encoding="utf-8")), target


def test_all_that_is_registered_has_a_page() -> None:
    assert set(named("command")) == {each.name for each in app().registered_commands}
    assert set(named("function")) == {*mbprof.__all__} - {"__version__"}
    assert kinds()["network"].names() == zoo.names()
    assert set(named("guide")) == {path.stem for path in (ROOT / "docs").rglob("*.md")}
    kept = {error.kind for error in _below(MbprofError)}
    assert set(named("error")) == kept
    assert len({kind.folder for kind in kinds().values()}) == len(kinds())


def _below(cls: type[MbprofError]) -> list[type[MbprofError]]:
    return [each for sub in cls.__subclasses__() for each in (sub, *_below(sub))]


@pytest.mark.parametrize("kind", named("error"))
def test_every_error_has_an_example_that_is_one(kind: str) -> None:
    assert f"error[{kind}]: " in topics.section(topics.guide("errors"), kind)


def test_every_rule_has_an_example_where_it_fires() -> None:
    lack = [code for code in named("rule") if "## Found in" not in reference.rule_page(code)]
    assert lack == []


@pytest.mark.parametrize(
    ("topic", "parts"),
    [
        ("mb104", ["MB104, warning", "Why: ", "Remedy: ", "Source: arXiv:1512.03385", "resize"]),
        ("ptflops", ["ptflops, a convention", "nn.Conv2d", "Known faults", "ptflops@0.6.3"]),
        ("ghostnet", ["arXiv:1911.11907", "5,153,336", "timm:ghostnet_130", "ghost_bneck"]),
        ("resnet50", ["preset of: resnet", "torchvision:resnet50", "25,502,912"]),
        ("conv", ["conv, an op", "nn.Conv2d", "dilation"]),
        ("sweep", ["mbprof sweep", "--pareto", "Also: mbprof docs function/sweep"]),
        ("sizes", ["mbprof sizes", "mbprof docs guide/sizes"]),
        ("which-sizes", ["Which sizes work", "$ mbprof sizes hrnet_w18"]),
        ("inv_res", ["inv_res, a block", "expansion ratio", "├─●"]),
        ("knob", ["error[knob]", "exit status: 2", "did you mean 'alpha'?"]),
        ("Network", ["mbprof.Network, a class", "profile()"]),
        ("rule/", ["Rules", "MB901"]),
        ("", ["Topics", "command/", "network/"]),
    ],
)  # fmt: skip
def test_a_topic_is_printed(topic: str, parts: list[str]) -> None:
    text = run("docs", *([topic] if topic else []))
    for part in parts:
        assert part in text, part


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("ghostne", "no topic is called 'ghostne'\n  hint: did you mean 'ghostnet'?"),
        ("rule/MB1044", "no topic is called 'rule/MB1044'\n  hint: did you mean 'MB104'?"),
        ("rulez/", "there is no kind 'rulez' of topics\n  hint: did you mean 'rule'?"),
    ],
)
def test_what_is_no_topic_is_answered_with_a_near_one(topic: str, said: str) -> None:
    assert invoke("docs", topic) == ("", f"error[usage]: {said}\n", 2)


def test_a_page_has_formats_and_is_a_function() -> None:
    topic = mbprof.docs("MB104")
    assert run("docs", "MB104", "--format", "md") == topic.page == topic._repr_markdown_()
    data = json.loads(run("docs", "MB104", "--format", "json"))
    assert data == json.loads(formats.to_json(topic.to_dict()))
    assert repr(topic) == "<Topic rule/MB104>"
    with pytest.raises(UsageError):
        mbprof.docs("nothing/nothing")


def test_help_loads_no_page() -> None:
    assert not {name for name in loaded_by("--help") if name.startswith("mbprof.pages")}
    assert "rich.markdown" not in loaded_by("table", "mobilenet_v1")


def test_words_of_strangers_are_words() -> None:
    shown = prose.docstring(
        "<script>alert(1)</script> [a](javascript:b) ``<b>|`` @team\n\nSource: <i>"
    )
    assert r"\<script>alert(1)\</script>" in shown
    assert r"\[a\](javascript:b)" in shown
    assert "`<b>|`" in shown
    assert "`@`team" in shown
    assert r"**Source:** \<i>" in shown
    assert (
        prose.drawn("a \x1b[2Jb".replace("\x1b", prose.text("\x1b")), Screen(80)) == "a \\x1b[2Jb\n"
    )


def test_findings_name_their_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    class Metadata:
        def get_all(self, name: str) -> list[str]:
            return ["Manual, https://example.org/mbprof", "Repository, https://example.org/m"]

    def rule() -> dict[str, object]:
        formats._site.cache_clear()
        log = json.loads(run("check", "dw_sep", "--format", "sarif"))
        rules = log["runs"][0]["tool"]["driver"]["rules"]
        found: dict[str, object] = next(rule for rule in rules if rule["id"] == "MB104")
        return found

    assert "Examples: mbprof docs MB104\n" in run("check", "--explain", "MB104")
    assert rule()["help"] == {"text": "mbprof docs MB104 explains it, with examples."}
    assert "helpUri" not in rule()
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: Metadata())
    assert rule()["helpUri"] == "https://example.org/mbprof/rules/MB104/"
    formats._site.cache_clear()


# The site

ASKED = re.compile(r"""<(?:link|script|img|iframe|source)\b[^>]*?\b(?:src|href)=["']?([^"'\s>]+)""")
LED = re.compile(r"""<a\b[^>]*?\bhref=["']?([^"'\s>]+)""")
INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>(.*?)</script>", re.S)


@pytest.mark.long
def test_the_site_is_whole_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="the site's generator is not installed: make site")
    make, into = str(ROOT / "site" / "make.py"), str(tmp_path / "site")
    ended = child(sys.executable, make, "--into", into, "--networks", *NETWORKS)
    assert ended.status == 0, ended.out + ended.err
    site = tmp_path / "site"
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    for kind in kinds().values():
        for name in named(kind.word) if kind.word != "guide" else ():
            assert site / kind.folder / name / "index.html" in pages
    for page, text in pages.items():
        assert not [asked for asked in ASKED.findall(text) if re.match(r"\w+:|//", asked)], page
        (policy,) = re.findall(
            r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text
        )
        assert "default-src 'none'" in policy
        for script in INLINE.findall(text):
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy, page
        for led in LED.findall(text) if page.name != "404.html" else ():
            path, _, anchor = led.partition("#")
            if re.match(r"\w+:|//", led) or "playground/" in path:
                continue
            file = Path(os.path.normpath(page.parent / unquote(path))) if path else page
            file = file / "index.html" if file.is_dir() else file
            assert file.is_file(), (page, led)
            assert not anchor or f'id="{unquote(anchor)}"' in pages[file], (page, led)
    index = json.loads((site / "search.json").read_text(encoding="utf-8"))["items"]
    for word, where in (
        ("MB104", "rules/MB104/"),
        ("ptflops", "conventions/ptflops/"),
        ("ghostnet", "networks/ghostnet/"),
    ):
        assert where in {item["location"] for item in index if word in item["title"]}
