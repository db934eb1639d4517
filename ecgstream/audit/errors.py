"""What the audit log refuses."""


class AuditError(Exception):
    """It cannot be done; the message is one line that says why and what to do."""
