"""JSON into forms, with errors that show nothing of what was sent."""

from typing import TypeVar

import msgspec

from devices.errors import MessageError
from schemas.errors import BadRecordError

T = TypeVar("T")


def decoded(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T:
    """Return what ``data`` says in the form of the decoder.

    Raises:
        MessageError: it is no JSON, or not of that form.

    >>> decoded(msgspec.json.Decoder(list[int]), b'[1, "Jane Doe"]')
    Traceback (most recent call last):
        ...
    devices.errors.MessageError: Expected `int`, got `str` - at `$[1]`
    """
    try:
        return decoder.decode(data)
    except UnicodeDecodeError:
        raise MessageError("text that is no UTF-8") from None
    except RecursionError:
        raise MessageError("it is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise MessageError(_without_content(str(error))) from None


def refused(error: MessageError | BadRecordError) -> MessageError:
    """Return why an item was refused; an id that is none may be anything, a name too, and is not shown."""
    words = str(error)
    return MessageError("a device id that is none" if words.startswith("device id") else words)


def _without_content(words: str) -> str:
    # Of all that msgspec says, this alone repeats what was sent (the forms have no enumerations).
    return "a field that is not known here" if "unknown field" in words else words
