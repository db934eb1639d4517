"""The channels by which pages reach people; one a file, each with the one method of ``notify.Channel``.

``webhook``, ``mail`` (SMTP), ``sms`` (SMPP), ``acm`` (HL7 v2), ``macm`` (FHIR), and ``services``: whatever
else apprise knows, as WeCom, DingTalk and Feishu. ``open`` makes the one that an address asks for, ``budget``
says how many pages a channel may take in a minute, ``wording`` what a person reads.

What does not live here: when to try again (``alerts.retry``) and what was tried (``alerts.outbox``).
"""
