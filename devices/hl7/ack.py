"""Acknowledgements (ACK; HL7 v2.6, 2.9), also of what cannot be read as long as its header can.

**Original mode**, where MSH-15 and MSH-16 are both empty: one answer, AA, AE or AR. **Enhanced mode**: an
accept acknowledgement (CA, CE, CR) as MSH-15 asks for it, then an application acknowledgement (AA) as MSH-16
does. What was refused is answered once. A message is taken when it is stored, so both say the same here.
"""

from devices.hl7.errors import Hl7Error
from devices.hl7.message import Segment, header, stamp

_ASKED_FOR = {
    "AL": (True, True),
    "SU": (True, False),
    "ER": (False, True),
    "NE": (False, False),
    "": (False, False),
}
"""HL7 table 0155: whether to answer what was taken, what was refused."""
_ANSWER = "ACK"
_SENDER = "ecgstream"
_MOST = 227
"""Characters of a field that are given back: HL7 v2.6, of MSH-3; more is no name and no id."""
_MESSAGES = {
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    207: "Application internal error",
}


def answers(frame: bytes, refused: Hl7Error | None, *, control_id: str, at_ns: int) -> tuple[bytes, ...]:
    """Return what to answer to a message, in this order.

    Nothing where its sender wants nothing, where it has no header, and where it is an answer itself, since
    that would never end. Answers are of the message's own separators and character set.

    Args:
        frame: the message, without the frame of MLLP.
        refused: why it was not taken.
        control_id: of the answer, in ASCII; the second one, if any, has ``-2`` behind it.
        at_ns: when it is answered, UTC ns.
    """
    try:
        head = header(frame)
    except Hl7Error:
        return ()
    if head.text(9) == _ANSWER:
        return ()
    codes = _codes(head.text(15), head.text(16), refused)
    ids = (control_id, f"{control_id}-2")
    return tuple(_answer(head, code, refused, i, at_ns) for code, i in zip(codes, ids, strict=False))


def _codes(accept: str, application: str, refused: Hl7Error | None) -> list[str]:
    """Return MSA-1 of each answer; a condition that HL7 does not have counts as ``AL``."""
    if refused is None:
        letter, which = "A", 0
    else:
        letter, which = "R" if refused.rejected else "E", 1
    if not accept and not application:
        return [f"A{letter}"]
    asked = (("C", accept), ("A", application))
    codes = [mode + letter for mode, when in asked if _ASKED_FOR.get(when, (True, True))[which]]
    return codes if refused is None else codes[:1]


def _answer(head: Segment, code: str, refused: Hl7Error | None, control_id: str, at_ns: int) -> bytes:
    sep = head.separators
    kind = sep.component.join((_ANSWER, "R01", _ANSWER))
    marks = sep.component + sep.repetition + sep.escape + sep.subcomponent
    msh = ["MSH", marks, _back(head, 5) or _SENDER, _back(head, 6), _back(head, 3), _back(head, 4)]
    msh += [stamp(at_ns), "", kind, control_id, _back(head, 11) or "P", _back(head, 12) or "2.6"]
    msh += ["", "", "", "", "", _back(head, 18)]
    segments = [msh, ["MSA", code, _back(head, 10)]]
    if refused is not None:
        condition = int(refused.condition)
        what = sep.component.join((str(condition), _MESSAGES[condition], "HL70357"))
        at = refused.at.replace("^", sep.component)
        segments.append(["ERR", "", at, what, "E", "", "", "", str(refused)])
    return "".join(sep.field.join(parts).rstrip(sep.field) + "\r" for parts in segments).encode(head.codec)


def _back(head: Segment, number: int) -> str:
    """Return a field of the message as it stands, where it can be what it is meant to be."""
    field = head[number]
    return field if len(field) <= _MOST and field.isprintable() else ""
