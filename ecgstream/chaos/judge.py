"""The judgement on a round: tables, technical alarms, pages, and the far gateway's segments."""

from collections.abc import Mapping, Sequence
from itertools import chain

import psycopg

from devices.source import Source
from ecgstream.chaos import alarms, compare, far, load, pages, watched
from ecgstream.chaos.faults import Struck
from ecgstream.chaos.play import Left
from ecgstream.chaos.verdict import Verdict
from ecgstream.store.writer import Writer
from schemas.conditions import Code

_NEAR = frozenset(load.DEVICES) - frozenset(load.FAR_DEVICES)


def judge(
    sources: Mapping[str, Sequence[Source]],
    expected: Left,
    found: Left,
    struck: Sequence[Struck],
    reference: str,
) -> Verdict:
    """Compare what the disturbed play has left with what the undisturbed one has.

    ``reference``: an empty database, for what the far devices' lanes must have found.
    """
    verdict = Verdict(len(struck), recovery_s=[s.recovery_s for s in struck if s.recovery_s is not None])
    verdict.differences += [
        f"{s.fault.kind} ({s.fault.target}): {s.trouble or 'not live again'}"
        for s in struck
        if s.recovery_s is None
    ]
    verdict.differences += [
        f"nothing to compare with in {t}" for t, rows in expected.tables.items() if not rows
    ]
    verdict.differences += map(str, _near(expected.tables, found.tables))
    verdict.differences += map(str, _whole(expected.tables, found.tables))
    return (
        verdict
        + _alarms(sources, found, struck)
        + _watched(found, struck)
        + _pages(expected, found)
        + _far(sources[load.FAR], found, reference)
    )


def _near(expected: compare.Contents, found: compare.Contents) -> list[compare.Difference]:
    tables = [t for t in compare.COMPARED if t not in compare.WHOLE]
    of_both = (compare.of_devices(contents, _NEAR, tables) for contents in (expected, found))
    return list(compare.differences(*of_both))


def _whole(expected: compare.Contents, found: compare.Contents) -> list[compare.Difference]:
    of_both = ({table: contents[table] for table in compare.WHOLE} for contents in (expected, found))
    return list(compare.differences(*of_both))


def _alarms(sources: Mapping[str, Sequence[Source]], found: Left, struck: Sequence[Struck]) -> Verdict:
    silences = [
        *alarms.of_load(chain.from_iterable(sources.values())),
        *alarms.of_faults(struck, found.speed),
        *alarms.of_far(load.FAR_DEVICES, load.AWAY_S),
    ]
    lost = alarms.judge(silences, found.lost_links)
    calling = {link.id: str(link) for link in found.lost_links if link.calls}
    return Verdict(
        differences=list(lost.wrong),
        missing=list(lost.missing),
        extra=list(lost.extra),
        pages_lost=pages.without_page(found.posts, calling),
    )


def _watched(found: Left, struck: Sequence[Struck]) -> Verdict:
    troubles = [*watched.of_play(found.speed), *watched.of_faults(struck, found.slowness)]
    missing, extra = watched.judge(troubles, found.watched, found.wall_s)
    return Verdict(missing=missing, extra=extra)


def _pages(expected: Left, found: Left) -> Verdict:
    # Those of the watch are of no device.
    told = pages.judge(expected.posts, found.posts, but={"", Code.LINK_LOST.name, *load.FAR_DEVICES})
    every = pages.judge((), found.posts)
    return Verdict(
        differences=told.changed,
        extra=told.extra,
        pages_lost=told.lost,
        pages_duplicated=every.duplicated,
        raw_repeats=every.raw_repeats,
    )


def _far(sources: Sequence[Source], found: Left, reference: str) -> Verdict:
    """Judge what the lanes of the far devices have found: see ``far``."""
    verdict = Verdict()
    devices = set(load.FAR_DEVICES)
    left = compare.of_devices(found.tables, devices, [*far.FOUND, "alert"])
    with psycopg.connect(reference, autocommit=True) as connection:
        writer = Writer(connection)
        for source in sources:
            segments = compare.of_devices(left, {source.device}, ["segment"])["segment"]
            gap = far.gap_of(segments)
            if gap is None:
                verdict.differences.append(f"{source.device} has no gap as it must be: {segments}")
                devices.discard(source.device)
            else:
                far.expected(writer, source, gap, found.controls.get(source.device, []))
        must = compare.of_devices(compare.read(connection, far.FOUND), devices, far.FOUND)
    verdict.differences += map(str, compare.differences(must, compare.of_devices(left, devices, far.FOUND)))
    told = {c["alert"]: c["what"] for c in pages.called(found.posts).values()}
    alerts = compare.of_devices(left, devices, ["alert"])["alert"]
    wrong, lost = far.judge_alerts(must["condition"], alerts, told)
    verdict.differences += wrong
    verdict.pages_lost += lost
    return verdict
