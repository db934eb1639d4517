"""What an account may change: where it stands in the tree decides.

Who may run these commands at all is decided by the database (role ``ecg_registry``). Within that, an account
that is known to the registry is held to its positions; one that is not is taken as said, for an operator has
to begin somewhere.
"""

from collections.abc import Collection

import psycopg

from ecgstream.registry.errors import RegistryError

CARE = ("clinic", "cardiologist")
"""The kinds of position that answer for patients."""


def require(connection: psycopg.Connection, account: str, kinds: Collection[str], facility: str) -> None:
    """Make sure that an account may act at a facility: by a position there or above it.

    Raises:
        RegistryError: the account is disabled, or holds no position of these kinds there.
    """
    row = connection.execute(
        "SELECT h.disabled, EXISTS (SELECT FROM ecg.position AS p"
        "  JOIN ecg.facility AS f ON f.code = p.facility JOIN ecg.facility AS place ON place.path <@ f.path"
        "  WHERE p.account = h.account AND p.kind = ANY(%s) AND place.code = %s)"
        " FROM ecg.person AS h WHERE h.account = %s",
        (list(kinds), facility, account),
    ).fetchone()
    if row is None:
        return
    disabled, stands = row
    if disabled:
        raise RegistryError(f"account {account} is disabled")
    if not stands:
        raise RegistryError(f"account {account} is not {' or '.join(kinds)} at {facility} or above it")
