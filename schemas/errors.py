"""The one error of what travels."""


class BadRecordError(ValueError):
    """Bytes or values that are no record of ours: truncated, corrupted, of an unknown schema, or absurd.

    A retry cannot help: the record goes to the dead letters with ``str(error)`` as its reason.
    """
