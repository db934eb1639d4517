"""``ecgstream replay``: what was recorded, through the same code again."""

import json as json_module
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import psycopg
from cyclopts import App, Parameter

import detectors as code
from ecgstream.commands.by_name import by_name
from ecgstream.commands.common import SettingsFlags, clear_errors, person_connection, progress, say
from ecgstream.commands.flags import Names, addressed
from ecgstream.commands.replay_publish import FASTEST, play
from ecgstream.registry import text
from ecgstream.registry.errors import RegistryError
from ecgstream.replay import many, stored
from ecgstream.replay.around import strip
from ecgstream.replay.device import Replayed
from ecgstream.replay.device import replay as replay_one
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.recorded import FromTopic
from ecgstream.replay.report import OfDevice, Told, page
from ecgstream.replay.settings import in_force as settings_in_force
from ecgstream.replay.source import FromStore, Source, Stretch
from ecgstream.settings import Settings

AS_STORED, CURRENT = "", "current"
_MOST_SAID = 10
_IN_FORCE = {"then": "limits and settings as they were", "now": "the limits and settings of today"}
Device = Annotated[Names, Parameter(name="--device", help="which devices; commas between several.")]
Facility = Annotated[str, Parameter(help="all devices of this facility, and of those below it.")]
From = Annotated[str, Parameter(name="--from", help="begin, by the device's clock: 2026-07-01T08:00+08:00.")]
To = Annotated[str, Parameter(name="--to", help="end, likewise.")]
Detectors = Annotated[
    str, Parameter(help="the version that is asked for, or `current`; by default that which found it.")
]
InForce = Annotated[
    Literal["then", "now"],
    Parameter(name="--settings", help="the limits and settings that were in force then, or are now."),
]
HtmlFile = Annotated[
    Path | None,
    Parameter(
        name="--html", help="also write which alerts appear, vanish or move, with strips, to this file."
    ),
]
JsonFile = Annotated[Path | None, Parameter(name="--json", help="also write what was found to this file.")]


Publish = Annotated[
    str,
    Parameter(help="compare nothing: play what is stored as live signals into this topic, for training."),
]
Topic = Annotated[
    str, Parameter(help="replay what this topic of Kafka has recorded, as ecg.ingest does for a week.")
]


app = App(name="replay", help="What was recorded, through the same code again: is the same found?")
by_name(app, "replay_what_if:what_if", "what-if", "How many alerts there would have been with other limits.")


@app.default
def replay(
    *,
    device: Device = (),
    facility: Facility = "",
    from_: From,
    to: To,
    detectors: Detectors = AS_STORED,
    in_force: InForce = "then",
    topic: Topic = "",
    json: JsonFile = None,
    html: HtmlFile = None,
    publish: Publish = "",
    speed: Annotated[float, Parameter(help="s of signal a second, with --publish.")] = 1.0,
    settings: SettingsFlags = None,
) -> None:
    """Take what is stored through the same code again, and compare what it finds with what it found then.

    Beats, rhythms, minutes, conditions, segments and alerts are compared, to the last bit. It reads as one
    person (ECGSTREAM_ACCOUNT; docs/access.md has how), writes to no topic but that of --publish, and calls
    nobody. Ended in between, the same command goes on where it was, if it has --json and no --html. The
    exit status is 0 where all is the same, 2 where something differs, 1 where something cannot be replayed.

    For instance:

        ecgstream replay --device mon-17 --from 2026-07-01T08:00Z --to 2026-07-01T09:00Z --json replay.json
    """
    with clear_errors():
        stretch = _stretch(from_, to)
        _check_version(detectors)
        _check_together(topic, in_force, publish, speed, comparing=bool(json or html))
        check_folders(json, html)
        reads = [("device", name) for name in device] or [("facility", facility)]
        with person_connection(settings, "replay", *reads, autocommit=True) as connection:
            devices = list(device) or devices_of(connection, facility)
            if publish:
                play(addressed(settings, "kafka"), connection, devices, stretch, publish, speed)
                return
            task = {"from": stretch.since_ns, "to": stretch.until_ns, "detectors": detectors}
            task |= {"settings": in_force, "devices": devices, "installed": code.VERSION, "topic": topic}
            notes = json is not None and html is None
            work = many.Work(json.with_name(json.name + ".part") if json and notes else None, task)

            def one(name: str) -> Replayed:
                return replay_one(
                    connection,
                    name,
                    stretch,
                    source=_source(settings, connection, name, in_force, topic),
                    any_version=detectors == CURRENT or in_force == "now",
                )

            reported: list[OfDevice] = []
            left = [name for name in devices if name not in work.done]
            for replayed in many.run(progress(left, "Replaying"), one, work):
                if replayed is not None:
                    _say(replayed)
                    reported.append(OfDevice.of(replayed))
            found = many.joined([work.done[name] for name in devices])
            if html is not None:
                told = Told(stretch, code.VERSION, _IN_FORCE[in_force])
                html.write_text(page(reported, told, partial(strip, connection)), "utf-8")
    if json is not None:
        json.write_text(json_module.dumps(found, indent=2) + "\n", "utf-8")
        work.over()
    _end(found)


def devices_of(connection: psycopg.Connection, facility: str) -> list[str]:
    """Return the devices of a facility, and of those below it.

    Raises:
        RegistryError: none is named, or none is seen there.
    """
    if not facility:
        raise RegistryError("which devices? --device or --facility says it")
    rows = connection.execute(
        "SELECT d.device FROM api.devices AS d JOIN api.facilities AS f ON f.code = d.facility"
        " WHERE f.path <@ (SELECT path FROM api.facilities WHERE code = %s) ORDER BY d.device",
        (facility,),
    ).fetchall()
    if not rows:
        raise RegistryError(f"{text.shown(facility)}: no device that you may see is there")
    return [device for (device,) in rows]


def _source(
    settings: Settings | None,
    connection: psycopg.Connection,
    device: str,
    in_force: Literal["then", "now"],
    topic: str,
) -> Source:
    if topic:
        return FromTopic(addressed(settings, "kafka"), topic)
    if in_force == "then":
        return FromStore(connection)
    known = stored.newest_settings(connection, device)
    if not known:
        raise ReplayError(f"{device}: what is in force now is not known: no settings were ever told of it")
    return FromStore(connection, settings_in_force(known))


def _check_together(topic: str, in_force: str, publish: str, speed: float, *, comparing: bool) -> None:
    """Refuse flags that do not go together.

    Raises:
        RegistryError: they do not.
    """
    if topic and in_force == "now":
        raise RegistryError("a topic holds the settings of then: --settings now goes without --topic")
    if publish and (topic or comparing or in_force == "now"):
        raise RegistryError("--publish plays what is stored, and compares nothing: leave the other flags out")
    if not publish and speed != 1.0:
        raise RegistryError("--speed goes with --publish: what is compared runs as fast as it can")
    if not 0 < speed <= FASTEST:
        raise RegistryError(f"--speed: above 0, up to {FASTEST:g}")


def _stretch(from_: str, to: str) -> Stretch:
    since, until = moment_ns(from_, "--from"), moment_ns(to, "--to")
    if since >= until:
        raise RegistryError("--to must lie behind --from")
    return Stretch(since, until)


def moment_ns(value: str, what: str) -> int:
    """Return a time that somebody has typed, UTC ns, to the millisecond.

    Raises:
        RegistryError: it cannot be read.
    """
    return int(text.moment(value, what).timestamp() * 1000) * 10**6


def check_folders(*files: Path | None) -> None:
    """Make sure, before hours of work, that files can be written.

    Raises:
        RegistryError: one lies in no folder.
    """
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise RegistryError(f"{file.parent}: no such folder")


def _check_version(wanted: str) -> None:
    if wanted not in (AS_STORED, CURRENT, code.VERSION):
        raise RegistryError(
            f"these are detectors {code.VERSION}. {text.shown(wanted)} comes with another ecgstream: run its"
            " image, or install it in an environment of its own, and replay there"
        )


def _say(replayed: Replayed) -> None:
    speed = replayed.signal_s / replayed.wall_s
    counts = ", ".join(f"{len(of):,} {kind}s" for kind, of in replayed.then.kinds().items())
    result = "identical" if not replayed.differences else f"{len(replayed.differences):,} differences"
    say(f"{replayed.device}: {result} ({counts}; {speed:,.0f} x real time)")
    for one in replayed.differences[:_MOST_SAID]:
        say(f"  {many.words(one)}")
    if len(replayed.differences) > _MOST_SAID:
        say(f"  … and {len(replayed.differences) - _MOST_SAID:,} more (--json)")


def _end(found: many.Told) -> None:
    errors = [one["error"] for one in found["devices"] if "error" in one]
    for error in errors:
        say(error)
    say(
        f"{found['segments']:,} segments of {len(found['devices']) - len(errors):,} devices,"
        f" {found['differences']:,} differences, {found['x_realtime']:,.0f} x real time"
    )
    if errors:
        sys.exit(1)
    if found["differences"]:
        sys.exit(2)
