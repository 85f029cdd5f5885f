"""Every page can be reached, and every link between pages leads to a file or a heading."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def _pages() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.split()
    return [REPOSITORY / name for name in names if (REPOSITORY / name).exists()]


def _links(page: Path) -> list[tuple[Path, str]]:
    """Return the target and the anchor of each link to a place in this repository."""
    text = CODE.sub("", page.read_text())
    return [((page.parent / target).resolve() if target else page, anchor) for target, anchor in LINK.findall(text)]


def _anchors(page: Path) -> set[str]:
    text = page.read_text()
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"', text))


PAGES = _pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [str(target) for target, _ in _links(page) if not target.exists()]
    lost = [
        f"{target.name}#{anchor}"
        for target, anchor in _links(page)
        if anchor and target.suffix == ".md" and target.exists() and anchor not in _anchors(target)
    ]

    assert not missing
    assert not lost


def test_every_page_of_docs_is_linked() -> None:
    linked = {target for page in PAGES for target, _ in _links(page)}
    folders = {target for target in linked if target.is_dir()}
    docs = {page for page in PAGES if page.is_relative_to(REPOSITORY / "docs")}

    assert not [str(page) for page in docs - linked if page.parent not in folders]
