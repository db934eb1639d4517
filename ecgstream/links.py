"""Links, with the key that the pager and the web are told."""

import sys

from alerts.link import Links
from ecgstream.broker.access import Service
from ecgstream.settings import PREFIX, Settings


def links_of(settings: Settings, service: Service) -> Links:
    """Return what makes and reads links; without a key, end the process with one line that says what to do.

    Asked here and not with the settings: all services of a centre may be told where the web is, and two
    alone have the key.
    """
    key = settings.link_key.get_secret_value()
    if not key:
        sys.exit(f"ecgstream {service}: no key for links: set {PREFIX}LINK_KEY, the same for pager and web")
    return Links(key, settings.web_url)
