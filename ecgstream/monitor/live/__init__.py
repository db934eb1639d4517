"""The live wall: waves, numbers and alarms as they arrive in Kafka, over one WebSocket a screen.

* ``frames``: the bytes that travel;
* ``alarms``, ``device``: what is known of one device; ``hub``: of all, on a thread;
* ``view``: what waits for one screen, bounded;
* ``socket``: the endpoint; ``routes``: it and the page; ``words``: the page's, in two languages.

The page's own modules are in ``static``: ``wall.js`` is where they begin. The page of one patient's ECG
(``pages.ecg``, ``ecg.js``) uses the same socket.
"""
