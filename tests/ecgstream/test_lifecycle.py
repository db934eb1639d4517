"""How services write their logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROGRAM = """
import logging, threading, structlog
from ecgstream.lifecycle import set_up_logging
from ecgstream.settings import Settings
set_up_logging(Settings(), "sink")
log = structlog.get_logger()
log.warning("bad_record", topic="ecg.beats", offset=7)
thread = threading.Thread(target=lambda: log.error("from_a_thread", device="d-1"))
thread.start(); thread.join()
logging.getLogger("kafka.client").warning("no connection to %s", "kafka-1")
logging.getLogger("kafka.client").info("chatter")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broken")
    logging.getLogger("devices").exception("broken there")
thread = threading.Thread(target=lambda: {}["in a thread"], name="sender")
thread.start(); thread.join()
{}["at the end"]
"""


def said(**more: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=clean | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    return ran.stderr


def test_every_line_is_an_object_whoever_says_it() -> None:
    lines = [json.loads(line) for line in said(ECGSTREAM_LOG_JSON="true").splitlines()]
    assert {line["service"] for line in lines} == {"sink"}
    assert [(line["event"], line["level"]) for line in lines] == [
        ("bad_record", "warning"),
        ("from_a_thread", "error"),
        ("no connection to kafka-1", "warning"),
        ("broken", "error"),
        ("broken there", "error"),
        ("crashed", "critical"),
        ("crashed", "critical"),
    ]
    assert (lines[0]["topic"], lines[0]["offset"], lines[1]["device"]) == ("ecg.beats", 7, "d-1")
    assert lines[2]["logger"] == "kafka.client"
    assert all("ZeroDivisionError" in line["exception"] for line in lines[3:5])
    assert [line["thread"] for line in lines[5:]] == ["sender", "MainThread"]
    assert "KeyError: 'in a thread'" in lines[5]["exception"]
    assert "KeyError: 'at the end'" in lines[6]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_a_person_reads_lines() -> None:
    text = said()
    assert "[warning  ] bad_record" in text
    assert "no connection to kafka-1" in text
    assert "chatter" not in text
    assert text.count("] crashed") == 2
    assert "\x1b" not in text
