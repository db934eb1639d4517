"""How a codec's input goes wrong, each in a way that no flipped bit would find; pure.

A mutator is given chance, an input, and other inputs of the same codec. libFuzzer's own mutations come beside
these (``tests.fuzz.child``): bits, bytes, and what was compared with.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

GB = 2**30
PAGE = 4096
DEPTH = 20_000
Mutator = Callable[[Random, bytes, Sequence[bytes]], bytes]

_LENGTHS = (GB, 2 * GB - 1, 4 * GB - 1, 2**63 - 1, 0, 1, -1, -GB)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NUMBERS = (b"-1", b"0", b"1e308", b"1e999", b"-0", b"0.1", b"9" * 40, b"2147483648", b"9223372036854775808")
_CODECS = ("utf-8", "utf-16", "utf-32", "gb18030", "latin-1", "utf-7")
_BREAKING = (
    b"\xff",
    b"\xc3",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\x81",
    b"\\ud800",
    b"\x0b",
    b"\x1c\r",
)
_NESTS = ((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"))
_LENGTH_LINE = re.compile(rb"(?i)(content-length: *)\d+")
_ZIP_BOMB = gzip.compress(b" " * 5_000_000)


def mutated(
    chance: Random, data: bytes, others: Sequence[bytes], ways: Sequence[Mutator], most: int
) -> bytes:
    """Return an input that has gone wrong in one to three ways, cut to ``most`` bytes."""
    for way in chance.choices(ways, k=chance.randint(1, 3)):
        data = way(chance, data, others)
    return data[:most]


def _stretch(chance: Random, data: bytes) -> tuple[int, int]:
    """Return a begin and an end; most stretches are short."""
    begin = chance.randrange(len(data) + 1)
    longest = len(data) - begin
    return begin, begin + chance.randint(0, min(longest, chance.choice((4, 64, longest))))


def truncated(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """The end has not come."""
    return data[: chance.randrange(len(data) + 1)]


def split(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A stretch is gone."""
    begin, end = _stretch(chance, data)
    return data[:begin] + data[end:]


def merged(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Another input begins within this one."""
    other = chance.choice(others)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def followed(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Another input comes behind this one, or the same again."""
    return data + chance.choice((data, *others))


def repeated(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A stretch comes again, once or often."""
    begin, end = _stretch(chance, data)
    return data[:begin] + data[begin:end] * chance.choice((2, 2, 3, 100)) + data[end:]


def swapped(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Two neighbouring stretches have changed places: what counts upwards goes back."""
    begin, middle = _stretch(chance, data)
    end = min(len(data), 2 * middle - begin)
    return data[:begin] + data[middle:end] + data[begin:middle] + data[end:]


def overwritten(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Some bytes are others."""
    begin, end = _stretch(chance, data)
    return data[:begin] + chance.randbytes(min(end - begin, 64)) + data[begin + min(end - begin, 64) :]


def length_of(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Some bytes are a length of 1, 2, 4 or 8 bytes, mostly one that cannot be: 1 GB, or less than none."""
    width = chance.choice((1, 2, 4, 4, 8))
    wrong = chance.choice((*_LENGTHS, len(data) + chance.randint(-2, 2))) % 256**width
    at = (
        chance.randrange(len(data) + 1)
        if chance.random() < 0.5
        else chance.randrange(min(len(data), 200) + 1)
    )
    said = wrong.to_bytes(width, chance.choice(("big", "little")))
    return data[:at] + said + data[at + width :]


def varint(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A number as Avro and MQTT write it, seven bits a byte, takes the place of a byte; some never end."""
    value = chance.choice(_LENGTHS)
    value = ((value << 1) ^ (value >> 63)) % 2**64
    said = bytearray()
    while value > 127:
        said.append(value % 128 + 128)
        value //= 128
    said.append(value)
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice((bytes(said), b"\xff" * 11)) + data[at + 1 :]


def another_number(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A number in a text is another one: what counts goes back, or is beyond all bounds."""
    found = [match.span() for match in _NUMBER.finditer(data)]
    if not found:
        return data
    begin, end = chance.choice(found)
    was = data[begin:end]
    less = b"%d" % (int(was[:18]) - chance.randint(-2, 2)) if was[:18].isdigit() else b"-7"
    return data[:begin] + chance.choice((*_NUMBERS, less, less, less)) + data[end:]


def encoded_otherwise(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """The text is in another character set than it says."""
    text = data.decode(chance.choice(_CODECS), "replace")
    return text.encode(chance.choice(_CODECS), "replace")


def broken_text(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Bytes that are no text stand in it."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_BREAKING) + data[at:]


def lines_moved(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Lines are left out, doubled and mixed with those of others; the first mostly stays."""
    head, *lines = re.split(rb"(?<=[\r\n])", data)
    lines += re.split(rb"(?<=[\r\n])", chance.choice(others))[1:]
    chosen = chance.choices(lines, k=chance.randint(0, len(lines))) if lines else []
    return (head if chance.random() < 0.9 else b"") + b"".join(chosen)


def nested(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Something is nested deeper than anything could be meant."""
    opens, closes = chance.choice(_NESTS)
    depth = chance.choice((3, 100, DEPTH))
    begin, end = _stretch(chance, data)
    return data[:begin] + opens * depth + data[begin:end] + closes * depth + data[end:]


def entities(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A document of XML declares entities that grow tenfold each, or that stand elsewhere."""
    grow = "".join(f'<!ENTITY {n} "{f"&{m};" * 10}">' for m, n in pairwise("abcdefgh"))
    declared = chance.choice((f'<!ENTITY a "aaaaaaaaaa">{grow}', '<!ENTITY h SYSTEM "file:///dev/zero">'))
    head, line, rest = data.partition(b"\n")
    texts = [match.start() + 1 for match in re.finditer(rb">[^<\s]", rest)] or [0]
    at = chance.choice(texts)
    return head + line + f"<!DOCTYPE x [{declared}]>".encode() + rest[:at] + b"&h;" + rest[at:]


def packed(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """The body of a request is packed, cut, or a bomb."""
    head, blank, body = data.rpartition(b"\r\n\r\n")
    made = chance.choice((_ZIP_BOMB, gzip.compress(body), gzip.compress(body)[:-1], gzip.compress(body) * 2))
    coding = b"\r\nContent-Encoding: gzip" if head else b""
    return recounted(chance, head + coding + blank + made, ())


def recounted(_: Random, data: bytes, __: Sequence[bytes]) -> bytes:
    """The last request says as many bytes as follow: what was done to its body reaches its codec."""
    head, blank, body = data.rpartition(b"\r\n\r\n")
    return _LENGTH_LINE.sub(lambda m: m[1] + b"%d" % len(body), head) + blank + body


def flipped(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A few bits are the other way."""
    made = bytearray(data)
    for _bit in range(chance.randint(1, 8) if made else 0):
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made)


def page_lost(chance: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A page of a disk is zeros, ones, noise, or another page."""
    begin = chance.randrange(len(data) // PAGE + 1) * PAGE
    other = chance.randrange(len(data) // PAGE + 1) * PAGE
    page = (bytes(PAGE), b"\xff" * PAGE, chance.randbytes(PAGE), data[other : other + PAGE])
    return data[:begin] + chance.choice(page)[: len(data) - begin] + data[begin + PAGE :]


ANY = (truncated, split, merged, followed, repeated, swapped, overwritten)
DISK = (flipped, flipped, flipped, page_lost, page_lost, truncated, overwritten, length_of)
BINARY = (*ANY, length_of, length_of, varint)
TEXT = (*ANY, another_number, another_number, encoded_otherwise, broken_text, broken_text)
SEGMENTS = (*TEXT, lines_moved, lines_moved)
JSON = (*TEXT, nested)
XML = (*TEXT, nested, entities)
REQUESTS = (*JSON, length_of, varint, packed, recounted, recounted, recounted)
