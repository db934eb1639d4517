"""What is told of messages that can never be taken: enough to find their sender, and nothing of them."""

from hashlib import blake2b

from devices.refusals import MOST_WAITING, OF_ALL, OF_DEVICE, Refusals
from schemas.codec import encode

HL7 = b"MSH|^~\\&|MON|WARD\rPID|1||42||Nobody^Atall^^^^^L\r"


class Told:
    def __init__(self) -> None:
        self.now_s = 30.0
        self.refusals = Refusals("gw", steady_s=lambda: self.now_s, utc_ns=lambda: 77)

    def tell(self, device: str = "mon-1", content: bytes = HL7) -> None:
        self.refusals.tell("hl7", device, "no OBX", content, "m-1")


def test_a_refusal_says_who_and_why_and_shows_nothing_of_the_content() -> None:
    told = Told()
    told.tell()
    (found,) = told.refusals.take()
    assert (found.gateway, found.time_ns, found.device, found.protocol) == ("gw", 77, "mon-1", "hl7")
    assert (found.message, found.reason, found.size) == ("m-1", "no OBX", len(HL7))
    assert found.digest == blake2b(HL7, digest_size=16).digest()
    assert b"Nobody" not in encode(found)
    assert told.refusals.take() == []


def test_a_flood_of_a_device_leaves_room_for_others_and_ends_with_the_minute() -> None:
    told = Told()
    for _ in range(1000):
        told.tell()
    told.tell("mon-2")
    assert [r.device for r in told.refusals.take()] == ["mon-1"] * OF_DEVICE + ["mon-2"]
    told.now_s += 60
    told.tell()
    assert len(told.refusals.take()) == 1


def test_a_flood_under_many_names_is_bounded_too() -> None:
    told = Told()
    for n in range(10_000):
        told.tell(f"mon-{n}")
    assert len(told.refusals.take()) == OF_ALL
    assert len(told.refusals._told) == OF_ALL


def test_while_kafka_is_away_the_newest_are_kept_and_none_is_large() -> None:
    told = Told()
    for n in range(10):
        told.now_s += 60
        for other in range(OF_ALL):
            told.refusals.tell("hl7", f"mon-{n}-{other}", "x" * 10**6, b"c" * 1000, "m" * 10**6)
    found = told.refusals.take()
    assert len(found) == MOST_WAITING
    assert found[-1].device == f"mon-9-{OF_ALL - 1}"
    assert max(len(encode(one)) for one in found) < 1000
