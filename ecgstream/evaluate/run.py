"""``ecgstream evaluate``: a suite over a folder or its own signals, shown, and written where it is wanted."""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ecgstream.documents import put
from ecgstream.evaluate.document import of_suite
from ecgstream.evaluate.others import UnknownDetectorError
from ecgstream.evaluate.report import show
from ecgstream.evaluate.suite import NoComparisonError, NothingToEvaluateError, evaluate
from ecgstream.evaluate.suites import SUITES
from ecgstream.lifecycle import set_up_logging
from ecgstream.settings import Settings


def run(
    suite: str,
    folder: Path | None,
    records: Sequence[str],
    against: Sequence[str],
    *,
    json_file: Path | None,
    html_file: Path | None,
    document: Path | None,
) -> None:
    """Evaluate and tell; what cannot be evaluated ends the program with the reason."""
    set_up_logging(Settings(), "evaluate", at_least=logging.WARNING)
    try:
        found = evaluate(SUITES[suite], folder, records, against)
    except (NothingToEvaluateError, NoComparisonError, UnknownDetectorError) as error:
        sys.exit(f"ecgstream: {error}")
    show(found, html_file)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    if document is not None:
        put(document, suite, of_suite(found))
