"""What can go wrong at the edge, each with what to do about it."""


class RecordingError(ValueError):
    """A recording that cannot be played: unreadable, without an ECG lead, or beyond what int16 holds."""


class NotAdmittedError(RuntimeError):
    """A device that may not send; the message names the command that lets it."""


class CacheError(ValueError):
    """A file of enrolments that cannot be used, as if there were none."""


class EnrolmentsUnknownError(RuntimeError):
    """Neither the broker nor a file says which devices are enrolled."""


class SpoolError(RuntimeError):
    """A spool that cannot be used; the message says what to do."""


class SpoolDamagedError(SpoolError):
    """The spool's file is not whole. It was set aside; a new one is made at the next start."""


class PlayError(ValueError):
    """A play that cannot go on as it is asked to."""


class LineError(RuntimeError):
    """Kafka does not take what it is sent, now; the message says why."""


class MessageError(ValueError):
    """A device's message that cannot be meant; says where, and shows no content, which may name a patient."""


class FullError(RuntimeError):
    """The spool takes no more now; the device keeps what it has, and tries again later."""


class ReaderError(RuntimeError):
    """The process that reads files does not start; what it would have read is as it was."""
