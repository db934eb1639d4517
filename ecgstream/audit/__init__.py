"""The audit log: one chain of entries, signed, that shows what was edited, removed, moved or cut.

What may be said (``told``, ``steps``), what chains and signs it (``sealer``), what checks it (``check``,
``verify``), and what is handed to others: signed archives (``archive``), an export, the evidence of an alert.
docs/audit.md says what is logged, what is not, and against whom it holds.
"""
