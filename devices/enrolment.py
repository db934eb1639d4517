"""Which devices a gateway lets in: its view of the compacted topic ``ecg.enrolment``.

Pure: records in, answers out. ``devices.enrolment_follower`` reads the topic and keeps a copy on disk, in the
form of ``pack`` and ``unpack``.

>>> known = Enrolments().changed([("dev-1", Enrolment("dev-1", "", "cn", 7, (), b"", "", False, 1))])
>>> known.admitted("dev-1").shard
7
>>> known.changed([("dev-1", None)]).device("dev-1")
"""

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from devices.errors import CacheError, NotAdmittedError
from schemas.codec import decode_as, encode
from schemas.errors import BadRecordError
from schemas.records import Enrolment

Change = tuple[str, Enrolment | None]
"""A device and how it is enrolled now; ``None``: not any more."""

_TITLE = b"ecgstream enrolments "
_VERSION = 1
_LENGTH_BYTES = 4


class Enrolments:
    """What is known of every device; it never changes, so that threads may share it.

    Of two records of a device the one with the later ``changed_ns`` holds, in whatever order they come, and
    of two of the same time the one that comes later. A device that was removed comes back only with a later
    record.
    """

    def __init__(self, known: Mapping[str, tuple[int, Enrolment | None]] = MappingProxyType({})) -> None:
        self._known = known  # device to time of its last change; removed ones stay, with None
        by_key, by_subject = defaultdict(list), defaultdict(list)
        for enrolment in self:
            by_key[enrolment.key_digest].append(enrolment)
            by_subject[enrolment.certificate_subject].append(enrolment)
        self._by_key: Mapping[bytes, list[Enrolment]] = dict(by_key)
        self._by_subject: Mapping[str, list[Enrolment]] = dict(by_subject)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Enrolment]:
        return (enrolment for _, enrolment in self._known.values() if enrolment is not None)

    def changed(self, changes: Iterable[Change]) -> "Enrolments":
        """Return what is known after these changes, in the order of the log."""
        known = dict(self._known)
        for device, enrolment in changes:
            last_ns, present = known.get(device, (-1, None))
            if enrolment is None:
                known[device] = (last_ns, None)
            elif enrolment.changed_ns > last_ns or (present and enrolment.changed_ns == last_ns):
                known[device] = (enrolment.changed_ns, enrolment)
        return Enrolments(known)

    def device(self, device: str) -> Enrolment | None:
        """Return how a device is enrolled, disabled or not."""
        return self._known.get(device, (0, None))[1]

    def admitted(self, device: str) -> Enrolment:
        """Return how a device is enrolled that may send.

        Raises:
            NotAdmittedError: it is not enrolled, or disabled; the message names the command that helps.
        """
        found = self.device(device)
        if found is None:
            raise NotAdmittedError(f"{device} is not enrolled: `ecgstream device enrol {device} …`")
        if found.disabled:
            raise NotAdmittedError(f"{device} is disabled: `ecgstream device enable {device}`")
        return found

    def with_key(self, key: bytes) -> Enrolment | None:
        """Return the device that has this key, disabled or not; ``None`` where two have it, or none.

        The digests are compared in constant time. Where in the table a digest is looked for tells nothing of
        a key: who guesses keys cannot steer their digests.
        """
        digest = hashlib.sha256(key).digest()
        found = self._only(self._by_key.get(digest, []))
        return found if found is not None and hmac.compare_digest(found.key_digest, digest) else None

    def with_certificate(self, subject: str) -> Enrolment | None:
        """Return the device whose certificate has this subject (RFC 4514), as ``with_key``."""
        return self._only(self._by_subject.get(subject, [])) if subject else None

    @staticmethod
    def _only(found: list[Enrolment]) -> Enrolment | None:
        return found[0] if len(found) == 1 else None


def change_of(key: bytes | None, value: bytes | None) -> Change:
    """Return what a record of the topic says.

    Raises:
        BadRecordError: it is no enrolment of the device that its key names.
    """
    try:
        device = (key or b"").decode()
    except UnicodeDecodeError:
        raise BadRecordError("a key that is no UTF-8") from None
    if value is None:
        return device, None
    enrolment = decode_as(Enrolment, value)
    if enrolment.device != device:
        raise BadRecordError("a key that is not the device's")
    return device, enrolment


def pack(enrolments: Enrolments, as_of_ns: int) -> bytes:
    """Return bytes that hold the enrolments, and when they were known to hold (UTC ns).

    A line of JSON that says what follows, then each record as in Kafka, behind its length (4 bytes,
    big-endian).
    """
    records = [encode(enrolment) for enrolment in enrolments]
    body = b"".join(len(record).to_bytes(_LENGTH_BYTES, "big") + record for record in records)
    head = {"version": _VERSION, "as_of_ns": as_of_ns, "sha256": hashlib.sha256(body).hexdigest()}
    return _TITLE + json.dumps(head).encode() + b"\n" + body


def unpack(data: bytes) -> tuple[Enrolments, int]:
    """Return what ``pack`` was given.

    Raises:
        CacheError: these bytes are not whole, or of another version.
    """
    line, _, body = data.partition(b"\n")
    try:
        head = json.loads(line.removeprefix(_TITLE))
        version, as_of_ns, digest = head["version"], int(head["as_of_ns"]), head["sha256"]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise CacheError("it does not begin as one of ours") from None
    if version != _VERSION:
        raise CacheError(f"it is of version {version}, not {_VERSION}")
    if hashlib.sha256(body).hexdigest() != digest:
        raise CacheError("it is not whole")
    try:
        found = [decode_as(Enrolment, record) for record in _records(body)]
    except BadRecordError as error:
        raise CacheError(f"it holds what is no enrolment ({error})") from error
    return Enrolments().changed((e.device, e) for e in found), as_of_ns


def _records(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(body[at:begin], "big")
        yield body[begin:at]
