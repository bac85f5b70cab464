"""The pages of docs/operations are complete: every command is run, every alert is explained."""

import yaml

from scripts.tools.paths import ROOT
from tests.support.suite.operator_pages import FOLDER, KINDS, blocks, pages


def test_every_command_is_of_a_kind_that_is_run() -> None:
    """No page has a block that no test runs."""
    found = [(page, block) for page in pages() for block in blocks(page)]

    assert found
    assert [
        (page, block) for page, block in found if block.language != "sh" or block.kind not in KINDS
    ] == []


def test_every_alert_is_explained() -> None:
    """Whoever is woken by an alert finds its line, and every line is of an alert."""
    rules = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yaml").read_text())
    severities = {
        rule["alert"]: rule["labels"]["severity"]
        for group in rules["groups"]
        for rule in group["rules"]
    }
    rows = [line.split("|") for line in (FOLDER / "alerts.md").read_text().splitlines()]
    explained = {
        row[1].strip(" `"): row[2].strip()
        for row in rows
        if len(row) > 1 and row[1].strip().startswith("`")
    }

    assert explained == severities
