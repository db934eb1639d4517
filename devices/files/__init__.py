"""Files of ECG devices as sources: found by content, read in a child under limits, taken from a folder once.

Libraries read the formats; they are imported where they are used, so that a gateway without files has none of
them (extra ``files``). ``docs/devices-files.md`` says what is read of each format, and what is not.
"""
