"""Recordings as files of standard formats: WFDB, EDF+, DICOM, HL7 aECG.

``recording`` is what is written, wherever it comes from; ``stored`` makes one of what the database holds;
each format has a writer: ``write(recording, folder, name)`` returns the files that it made.
"""
