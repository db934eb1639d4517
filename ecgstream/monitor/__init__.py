"""The central monitor: what people who have logged in see in a browser.

* ``service``: the process and its server;
* ``app``: which address leads where, and what every answer carries;
* ``sessions``, ``login``, ``guard``: who has logged in, how, and what nobody else gets to see;
* ``provider``, ``sign_on``: logging in by an OpenID Connect provider, which says who somebody is;
* ``walls``: screens that stand unattended, and what they open;
* ``stored``: the database as one person sees it; ``read``: what pages ask of it;
* ``shell``: what all pages have around them; ``wording``: their words, in two languages;
* ``pages``: one module a page.
"""
