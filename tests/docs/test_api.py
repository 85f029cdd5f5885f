"""docs/api.md is what the protos say, and its links lead somewhere."""

import re
import runpy
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "api.md"


def test_page_is_up_to_date() -> None:
    generator = runpy.run_path(str(REPOSITORY / "docs" / "generate_api.py"))
    page = generator["Page"](generator["describe"](generator["read_protos"]())).render()

    assert PAGE.read_text() == page, "run `make docs`"


def test_links_lead_to_anchors() -> None:
    text = PAGE.read_text()
    anchors = re.findall(r'<a id="([^"]+)">', text)

    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(anchors)


def test_every_name_is_explained() -> None:
    """A row that ends with an empty cell would be an element without a comment."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "<a id=" in line]

    assert len(rows) > 100
    assert not [row for row in rows if row.endswith(("| |", "|  |"))]
