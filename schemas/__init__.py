"""What travels between the parts of ecgstream: Avro schemas and their typed Python twins.

Here live the schema files (``avro/NAME-VERSION.avsc``, every version that was ever written), the
records, the columnar bundles, the codec, the names and partitions of the topics, and the tables of
codes (MDC, UCUM, WFDB, alarm conditions) that the records refer to.

What does not live here: anything that opens a connection, reads a clock or computes on a signal.
This package imports nothing else of ours.
"""
