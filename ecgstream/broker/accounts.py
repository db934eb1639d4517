"""Users of a closed broker: their passwords (SCRAM) and their rights, made after the table of ``access``.

Kafka keeps both in its own metadata, salted and hashed the passwords; nothing is kept here.
"""

import re
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.errors import ClusterAuthorizationFailedError, SecurityDisabledError

from ecgstream.broker.access import ACCESS, Right, Service
from ecgstream.broker.errors import BrokerError

ITERATIONS = 16_384
"""Of SCRAM's hash: the most that Kafka takes."""
SHORTEST_PASSWORD = 16
_HELD_PATIENCE_S = 10.0
_PRINCIPAL = "User:"
_MECHANISM = ScramMechanism.SCRAM_SHA_512
# Neither what SCRAM would have to escape (= and ,) nor what a certificate's subject looks like.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PASSWORD = re.compile(r"[!-~]+")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the broker knows it.

    Args:
        user: its name.
        service: whose rights it has, all and no others; ``None``: nobody's.
        has_password: it can come in.
        rights: what it may do, as ``Right`` or, where our table has no such thing, in Kafka's words.
    """

    user: str
    service: Service | None
    has_password: bool
    rights: tuple[str, ...]


def generate_password() -> str:
    """Return a password of 192 random bits."""
    return secrets.token_urlsafe(24)


def grant(admin: KafkaAdminClient, service: Service, user: str, password: str | None) -> None:
    """Give a user the rights of a service, and a password where one is given.

    A second time it changes nothing but the password. It returns when the broker holds to it.

    Raises:
        BrokerError: the user serves something else, has no password yet, or one of the two is no name or no
            password; or we are no admin.
    """
    _check_name(user)
    if password is not None:
        _check_password(password)
    known = _account(admin, user)
    wanted = ACCESS[service].rights()
    if more := sorted(set(known.rights) - set(map(str, wanted))):
        raise BrokerError(
            f"{user} may {', '.join(more)}, which a {service} may not: take another name, "
            f"or `ecgstream kafka revoke {user}` first"
        )
    if password is None and not known.has_password:
        raise BrokerError(f"{user} is new and wants a password")
    made = admin.create_acls([_acl(user, right) for right in sorted(wanted)])
    if made["failed"]:
        raise BrokerError(f"the broker refuses these rights ({made['failed'][0].__name__})")
    if password is not None:
        _alter(admin, UserScramCredentialUpsertion(user, _MECHANISM, password, iterations=ITERATIONS))
    _await(lambda: _account(admin, user), lambda found: found.service is service and found.has_password)


def revoke(admin: KafkaAdminClient, user: str) -> None:
    """Take away all rights of a user, in this moment also where it is connected, and its password.

    Raises:
        BrokerError: there is no such user; or we are no admin.
    """
    known = _account(admin, user)
    if not known.has_password and not known.rights:
        raise BrokerError(f"there is no user {user}: `ecgstream kafka list` shows who is")
    for _, _, error in _asked(lambda: admin.delete_acls([_filter(f"{_PRINCIPAL}{user}")])):
        if error.errno:
            raise BrokerError(f"the broker does not take the rights away ({error.__name__})")
    if known.has_password:
        _alter(admin, UserScramCredentialDeletion(user, _MECHANISM))
    _await(lambda: _account(admin, user), lambda found: not (found.rights or found.has_password))


def accounts(admin: KafkaAdminClient) -> list[Account]:
    """Return all users that have rights or a password, by name.

    Raises:
        BrokerError: we are no admin, or the broker is open.
    """
    rights = _rights(admin, None)
    passwords = set(admin.describe_user_scram_credentials())
    return [_made(u, rights.get(u, ()), u in passwords) for u in sorted(passwords | set(rights))]


def _account(admin: KafkaAdminClient, user: str) -> Account:
    rights = _rights(admin, f"{_PRINCIPAL}{user}").get(user, ())
    found = admin.describe_user_scram_credentials([user]).get(user, {})
    return _made(user, rights, bool(found.get("credential_infos")))


def _made(user: str, rights: Collection[str], has_password: bool) -> Account:
    of = {frozenset(map(str, access.rights())): service for service, access in ACCESS.items()}
    return Account(user, of.get(frozenset(rights)), has_password, tuple(sorted(rights)))


def _rights(admin: KafkaAdminClient, principal: str | None) -> dict[str, list[str]]:
    found, _ = _asked(lambda: admin.describe_acls(_filter(principal)))
    rights: dict[str, list[str]] = defaultdict(list)
    for acl in found:
        rights[acl.principal.removeprefix(_PRINCIPAL)].append(_said(acl))
    return rights


def _said(acl: ACL) -> str:
    """Return a rule as ``str(Right)`` does; a rule of another kind than we make says so."""
    pattern = acl.resource_pattern
    said = str(Right(acl.operation.name, pattern.resource_type.name, pattern.resource_name))
    plain = (
        pattern.pattern_type is ACLResourcePatternType.LITERAL
        and acl.permission_type is ACLPermissionType.ALLOW
        and acl.host == "*"
    )
    return (
        said if plain else f"{acl.permission_type.name} {said} ({pattern.pattern_type.name}, host {acl.host})"
    )


def _filter(principal: str | None) -> ACLFilter:
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    return ACLFilter(principal, None, ACLOperation.ANY, ACLPermissionType.ANY, everything)


def _acl(user: str, right: Right) -> ACL:
    return ACL(
        f"{_PRINCIPAL}{user}",
        "*",
        ACLOperation[right.operation],
        ACLPermissionType.ALLOW,
        ResourcePattern(ResourceType[right.kind], right.name),
    )


def _asked(question: Callable[[], _T]) -> _T:
    """Return the answer; say what it means where there is none."""
    try:
        return question()
    except ClusterAuthorizationFailedError as error:
        raise BrokerError(
            "only an admin may do this: come in as one (`ecgstream kafka grant admin`)"
        ) from error
    except SecurityDisabledError as error:
        raise BrokerError("this broker is open: it knows no users and no rights") from error


def _alter(
    admin: KafkaAdminClient, change: UserScramCredentialUpsertion | UserScramCredentialDeletion
) -> None:
    for user, error in admin.alter_user_scram_credentials([change]).items():
        if error is not None:
            raise BrokerError(f"the broker does not change the password of {user}: {error}")


def _await(ask: Callable[[], Account], holds: Callable[[Account], bool]) -> None:
    """Wait until a broker has heard of a change: its controller has already written it down."""
    deadline = time.monotonic() + _HELD_PATIENCE_S
    while not holds(ask()):
        if time.monotonic() > deadline:
            raise BrokerError(
                "the broker has taken the change and does not show it: ask `ecgstream kafka list`"
            )
        time.sleep(0.02)


def _check_name(user: str) -> None:
    if not _NAME.fullmatch(user):
        raise BrokerError("a user's name is 1 to 63 letters (a-z, A-Z), digits, dots, dashes and underscores")


def _check_password(password: str) -> None:
    if len(password) < SHORTEST_PASSWORD or not _PASSWORD.fullmatch(password):
        raise BrokerError(
            f"a password is at least {SHORTEST_PASSWORD} printable ASCII characters without spaces; "
            "--generate makes one"
        )
