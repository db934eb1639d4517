"""What can go wrong at the edge, each with what to do about it."""


class RecordingError(ValueError):
    """A recording that cannot be played: unreadable, without an ECG lead, or beyond what int16 holds."""


class PublishError(RuntimeError):
    """Kafka has not acknowledged in time: what was in flight may or may not be there."""
