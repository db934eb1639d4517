"""The registry: who and where.

Here live the facility tree, the devices, the patients and who wears what, the people and their positions:
what each of them is, which changes are allowed, how they come from and go to CSV files, and the SQL that
reads and writes them. The truth lies in PostgreSQL (schema ``ecg``); what a gateway or a worker must know of
it is told to Kafka from here.

What does not live here: command lines and what they print (``ecgstream.commands``), and anything that looks
at a signal.
"""
