"""Build the documentation site: pages from the registries and docs/, in site/build."""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from mbprof.cli.manual import kinds
from mbprof.pages import topics
from mbprof.spec.folders import BLOCKS, SPECS

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent
LINK = re.compile(r"(!?)\[((?:`[^`]*`|[^\[\]])*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>(.*?)</script>", re.S)
HEAD = '<meta charset="utf-8">'
POLICY = (
    "default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self';"
    " base-uri 'none'; form-action 'none'"
)
"""Nothing foreign is loaded, and no script runs but those that were built, by their digests."""
UNSEARCHED = re.compile("^## (Rows|Stages|Knobs|What each counter says)$", re.M)
"""What all networks have; words such as conv would be found in each of them."""
CHUNK = 16
PAGES = {
    Path("specs", name): to
    for names, to in ((SPECS, "networks"), (BLOCKS, "blocks"))
    for name in names
}
"""Where the pages of what lies in a folder of the zoo are."""


def chosen(networks: Sequence[str]) -> dict[str, topics.Kind]:
    """Return the kinds of topics, of networks only the named ones; all if none is named."""
    if not networks:
        return kinds()
    return {**kinds(), "network": kinds()["network"]._replace(names=lambda: networks)}


def settled(text: str, file: Path, networks: Sequence[str]) -> str:
    """Return a page as a page of the site: what its links lead to is there.

    A file of the zoo is the page of the network or block; of what is not built the words stay.
    """

    def led(match: re.Match[str]) -> str:
        picture, words, target, anchor = match.groups()
        path = (file.parent / target).resolve().relative_to(ROOT)
        to = PAGES.get(path.parent)
        if to and path.suffix == ".yaml":
            path = Path(to, f"{path.stem}.md")
        elif not picture and (path.suffix != ".md" or path.parts[0] == "reports"):
            return words
        if networks and path.parts[0] == "networks" and path.stem not in networks:
            return words
        back = os.path.relpath(path, file.relative_to(ROOT).parent)
        return f"{picture}[{words}]({back}{anchor or ''})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.S | re.M)
    return "".join(p if p.startswith("```") else LINK.sub(led, p) for p in parts)


def adapted(text: str) -> str:
    """Return a page as the generator's Markdown has it, which differs from CommonMark.

    In a code span of a table's cell a bar needs no escape there, and keeps it.
    """
    lines = [
        re.sub(r"`[^`]*`", lambda m: m[0].replace("\\|", "|"), line) if line[:1] == "|" else line
        for line in text.split("\n")
    ]
    return UNSEARCHED.sub(r"\g<0> { data-search-exclude }", "\n".join(lines))


def of_kind(word: str, pages: Path, networks: Sequence[str], name: str) -> None:
    """Write the page of a name."""
    kind = kinds()[word]
    page = adapted(settled(kind.page(name), ROOT / kind.folder / f"{name}.md", networks))
    (pages / kind.folder / f"{name}.md").write_text(page, encoding="utf-8")


def write(pages: Path, networks: Sequence[str]) -> None:
    """Write all pages into a folder."""
    shutil.copytree(SITE / "assets", pages / "assets")
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *topics.guides().values()]:
        text, to = path.read_text(encoding="utf-8"), pages / path.relative_to(ROOT)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(adapted(settled(text, path, networks)), encoding="utf-8")
        for picture in re.findall(r"!\[[^\]]*\]\((?!\w+:)([^)]+)\)", text):
            shown = (path.parent / picture).resolve().relative_to(ROOT)
            (pages / shown).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / shown, pages / shown)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for kind in chosen(networks).values():
            (pages / kind.folder).mkdir(exist_ok=True)
            list_page = pages / kind.folder / "index.md"
            list_page.write_text(adapted(listed(kind)), encoding="utf-8")
            if kind.word != topics.GUIDE.word:
                one = partial(of_kind, kind.word, pages, networks)
                list(pool.map(one, kind.names(), chunksize=CHUNK))


def listed(kind: topics.Kind) -> str:
    """Return the list of a kind; a guide stands where it does in the repository."""
    if kind.word != topics.GUIDE.word:
        return topics.index(kind)
    rows = [
        f"- [{kind.brief(name)}]({path.relative_to(ROOT / 'docs')})"
        for name, path in topics.guides().items()
    ]
    return f"# {kind.title}\n\n{kind.doc}\n\n" + "\n".join(rows) + "\n"


def config() -> str:
    """Return the generator's configuration with the navigation: guides, and lists of the others."""
    lines = ["nav:", "  - README.md"]
    if (SITE / "playground").is_dir():
        lines += ["  - Playground: playground/index.html"]
    paths = topics.guides().values()
    for title, folder in (("Start", "guides"), ("Guides", "docs")):
        own = (path for path in paths if path.parent.name == folder)
        lines += [f"  - {title}:", *(f"    - {path.relative_to(ROOT)}" for path in own)]
    others = [kind for kind in kinds().values() if kind.word != topics.GUIDE.word]
    lines += ["  - Reference:", *(f"    - {k.title}: {k.folder}/index.md" for k in others)]
    lines += ["  - CHANGELOG.md", ""]
    return (SITE / "mkdocs.yml").read_text(encoding="utf-8") + "\n".join(lines)


def secured(page: str) -> str:
    """Return a page with a policy that lets only its own scripts run."""
    digests = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in SCRIPT.findall(page)
    }
    policy = POLICY.format(scripts=" ".join(f"'sha256-{digest}'" for digest in sorted(digests)))
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return page.replace(HEAD, f"{HEAD}{meta}", 1)


def generate(project: Path) -> None:
    """Run the generator, which ends at a link that leads nowhere; then say what it said."""
    command = (sys.executable, "-m", "zensical", "build", "--strict", "-f", "mkdocs.yml")
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if ended.returncode:
        # It colours what it says, without asking.
        sys.exit(re.sub(r"\x1b\[[\d;]*m", "", ended.stdout + ended.stderr))


def main() -> None:
    """Build the site."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=SITE / "build", help="where it is written")
    parser.add_argument("--networks", nargs="+", default=(), help="only these of the zoo: quicker")
    given = parser.parse_args()
    into = given.into.resolve()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write(scratch / "pages", given.networks)
        (scratch / "mkdocs.yml").write_text(config(), encoding="utf-8")
        generate(scratch)
        for page in (scratch / "build").rglob("*.html"):
            page.write_text(secured(page.read_text(encoding="utf-8")), encoding="utf-8")
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(scratch / "build", into)


if __name__ == "__main__":
    main()
