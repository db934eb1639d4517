"""The strip of an alert, for whoever shows alerts: the pager's pages, and the web.

``recent`` reads from Kafka what was published around an onset, ``excerpt`` cuts it out, and ``strips`` has it
drawn (``alerts.strip``) on a thread of its own.
"""
