"""The one connection to a Grafana, and what its refusals mean."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from grafana_client import GrafanaApi
from grafana_client.client import GrafanaException

from ecgstream.dashboards.errors import DashboardsError

TIMEOUT_S = 30.0
NOT_FOUND = 404
_PAGE = 1000
_REFUSED = {
    401: "the token is not valid",
    403: "the token's service account may not do this: it needs the role Admin",
    409: "there is another of this name, which is not ours",
    412: "somebody else has changed or made it meanwhile: run it again",
}


def connect(url: str, token: str) -> GrafanaApi:
    """Return a client; it asks nothing yet.

    Args:
        url: of Grafana, with a path where it has one.
        token: of a service account with the role Admin in one organisation.
    """
    return GrafanaApi.from_url(url.rstrip("/") + "/", credential=token, timeout=TIMEOUT_S)


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Say what was asked for where it fails.

    Raises:
        DashboardsError: Grafana cannot be reached, or refuses.
    """
    try:
        yield
    except DashboardsError as error:
        raise DashboardsError(f"{what}: {error}") from None
    except GrafanaException as error:
        said = error.response.get("message") if isinstance(error.response, dict) else None
        why = _REFUSED.get(error.status_code, "")
        told = "; ".join(filter(None, (why, said)))
        raise DashboardsError(f"{what}: Grafana answers {error.status_code}: {told}") from None
    except (requests.RequestException, ValueError) as error:  # no JSON: it is something else's answer
        raise DashboardsError(f"{what}: no answer from a Grafana ({type(error).__name__})") from None


def found(api: GrafanaApi, path: str) -> Any:
    """Return what a path answers, ``None`` where there is nothing.

    Raises:
        GrafanaException: any other refusal.
    """
    try:
        return api.client.GET(path)
    except GrafanaException as error:
        if error.status_code == NOT_FOUND:
            return None
        raise


def search(api: GrafanaApi, criteria: str) -> Iterator[dict[str, Any]]:
    """Give all results of a search of dashboards or folders, page by page."""
    for page in itertools.count(1):
        results = api.client.GET(f"/search?{criteria}&limit={_PAGE}&page={page}")
        yield from results
        if len(results) < _PAGE:
            return


def teams(api: GrafanaApi, query: str) -> Iterator[dict[str, Any]]:
    """Give all teams whose names hold a word."""
    for page in itertools.count(1):
        results = api.client.GET(f"/teams/search?query={query}&perpage={_PAGE}&page={page}")["teams"]
        yield from results
        if len(results) < _PAGE:
            return
