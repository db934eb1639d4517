"""The worker: owns partitions of the ingest topic, runs the detector banks over them, writes what they find.

``stream`` is the one module that knows Faust. ``detect`` is what happens to a partition's records, without
I/O; ``links`` holds the lost-link timers; ``checkpoint`` the commit protocol; ``restore`` the way back.
"""
