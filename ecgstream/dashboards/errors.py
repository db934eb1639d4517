"""What goes wrong with dashboards, in words for the person who asked."""

from ecgstream.registry.errors import RegistryError


class DashboardsError(RegistryError):
    """A Grafana cannot be brought to what is wanted; the words hold no password and no token."""
