"""Addresses as apprise writes them: ``dingtalk://token``, ``mailtos://…``, ``smpp://…``."""

import logging

from apprise import Apprise, AppriseAsset
from apprise.plugins.base import NotifyBase

# It logs addresses, and answers, which may repeat them.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)

# Nothing on the disk: what apprise would remember there is its own business of retries and tokens.
_ASSET = AppriseAsset(storage_mode="memory", secure_logging=True, app_id="ecgstream", app_desc="ecgstream")


def plugin_of(url: str, timeout_s: float) -> NotifyBase:
    """Return apprise's plugin for an address, with neither pace nor patience of its own.

    Raises:
        ValueError: apprise does not know such an address, or it asks not to check certificates.
    """
    plugin = Apprise.instantiate(url, asset=_ASSET)
    if not isinstance(plugin, NotifyBase):
        raise ValueError("not an address that apprise knows: see its page on this service")  # noqa: TRY004
    if not plugin.verify_certificate:
        raise ValueError("verify=no would show the address to whoever answers: give a certificate to trust")
    plugin.request_rate_per_sec = 0
    plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout_s
    return plugin
