"""Reports of a stretch of a device or patient, as of a Holter recording.

``stored`` reads what the store has, ``content`` computes, ``document`` and ``fhir`` and ``sheet`` write it as
JSON, FHIR and PDF. A report is always preliminary: made by software, without a human's conclusion.
"""
