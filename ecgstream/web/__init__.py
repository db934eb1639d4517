"""The web: what people open in a browser.

* ``service``: the process and its server;
* ``app``: which address leads where, and what every answer carries;
* ``page``: one alert by the link of its page, taken on with a personal code;
* ``roster_api``: the duty roster for other programs;
* ``codes``: personal codes and programs' keys, and who is let in.
"""
