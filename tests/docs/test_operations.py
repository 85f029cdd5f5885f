"""The page for operators names what there is."""

import re
from pathlib import Path

from taskwire_shared.domain.audit import RULES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (P\d+) \|", re.MULTILINE)


def test_every_check_is_described_with_its_promise() -> None:
    assert ROW.findall(PAGE) == [(str(check), rule.promise) for check, rule in RULES.items()]


def test_metrics_to_watch_exist() -> None:
    explained = (DOCS / "events.md").read_text()
    named = set(re.findall(r"`(taskwire_\w+)", PAGE))

    assert named
    assert all(re.search(rf"`{name}[`{{]", explained) for name in named)


def test_settings_that_are_named_exist() -> None:
    explained = (DOCS / "configuration.md").read_text()

    assert all(f"`{name}`" in explained for name in re.findall(r"`(TASKWIRE_[A-Z_]+)`", PAGE))
