"""Nothing lost: the demo's load on three brokers, faults by a seeded schedule, and what must not differ.

``schedule`` says which fault comes when (pure); ``load`` what is played; ``site`` is where it runs,
``faults`` what is done to it, and ``line`` how something becomes unreachable; ``receiver`` takes the pages;
``recovery`` measures; ``compare``, ``alarms`` and ``pages`` judge; ``run`` is the order of events.
"""
