"""What can go wrong at the edge, each with what to do about it."""


class RecordingError(ValueError):
    """A recording that cannot be played: unreadable, without an ECG lead, or beyond what int16 holds."""


class PublishError(RuntimeError):
    """Kafka has not acknowledged in time: what was in flight may or may not be there."""


class NotAdmittedError(RuntimeError):
    """A device that may not send; the message names the command that lets it."""


class CacheError(ValueError):
    """A file of enrolments that cannot be used, as if there were none."""


class EnrolmentsUnknownError(RuntimeError):
    """Neither the broker nor a file says which devices are enrolled."""
