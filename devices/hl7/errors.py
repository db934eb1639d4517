"""Why a message is not taken, as its sender is told."""

from enum import IntEnum

from devices.errors import MessageError


class Condition(IntEnum):
    """HL7 table 0357, those that are used here."""

    REQUIRED_FIELD_MISSING = 101
    DATA_TYPE_ERROR = 102
    TABLE_VALUE_NOT_FOUND = 103
    UNSUPPORTED_MESSAGE_TYPE = 200
    UNSUPPORTED_EVENT_CODE = 201
    UNSUPPORTED_PROCESSING_ID = 202
    UNSUPPORTED_VERSION_ID = 203
    UNKNOWN_KEY_IDENTIFIER = 204
    APPLICATION_INTERNAL_ERROR = 207


class Hl7Error(MessageError):
    """A message that is not taken; its text shows nothing of the content.

    Attributes:
        condition: what is wrong.
        at: where, as ERR-2 has it: ``MSH^1^18``; empty: the message as a whole.
        rejected: it is refused for what it is (AR, CR), not for an error within (AE, CE).
    """

    def __init__(self, why: str, condition: Condition, at: str = "", *, rejected: bool = False) -> None:
        super().__init__(why)
        self.condition = condition
        self.at = at
        self.rejected = rejected


class LeftOutError(Exception):
    """A part of a message that cannot be taken while the rest can; within this package only."""
