"""The pager: from conditions to alerts, and from alerts to pages. Its truth lives in Kafka.

``service`` is the loop and numbers its steps; ``partition`` is what is known of one partition, without I/O;
``recorded`` reads back what was written; ``duty`` follows the roster and where devices stand; ``channels``
says by which channels somebody is reached, ``pages`` which page is next over each, and ``sender`` is the
thread that talks to one.
"""
