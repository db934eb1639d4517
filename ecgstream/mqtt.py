"""Which MQTT broker a gateway takes devices' messages from, and as whom; what cannot be is one line."""

import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

from devices.mqtt.client import Broker
from devices.mqtt.topics import Share
from ecgstream.addresses import broker_of


@dataclass(frozen=True, slots=True)
class Asked:
    """A broker, our user there (empty: none, as with a certificate), and our share of the devices."""

    host: str
    port: int
    is_secure: bool
    user: str
    share: Share

    @classmethod
    def of(cls, url: str, user: str, shards: str, *, plain: bool) -> "Asked":
        """Return what flags ask for, or end the process with one line.

        >>> Asked.of("mqtts://broker.example", "gateway", "1/2", plain=False).port
        8883
        """
        try:
            place = broker_of(url)
        except ValueError as error:
            sys.exit(f"ecgstream receive: --mqtt: {error}, who is --mqtt-user")
        if not (place.is_secure or plain):
            sys.exit(
                "ecgstream receive: by mqtt:// the network can read passwords and signals: give mqtts://, or "
                "--plain, on a network that nothing but devices is on"
            )
        try:
            return cls(*place, user, Share.of(shards))
        except ValueError as error:
            sys.exit(f"ecgstream receive: --shards: {error}")

    def resolved(
        self,
        gateway: str,
        password: str,
        certificate: Path | None,
        key: Path | None,
        authorities: Path | None,
    ) -> Broker:
        """Return how the gateway comes in there; end the process where its certificates cannot be used.

        Args:
            gateway: names the session.
            password: of the user.
            certificate: ours, for brokers that ask for one.
            key: of the certificate.
            authorities: who has signed the broker's; none: whom this machine trusts.
        """
        tls = None
        if self.is_secure:
            try:
                tls = ssl.create_default_context(cafile=authorities)
                if certificate is not None:
                    tls.load_cert_chain(certificate, key)
            except (OSError, ssl.SSLError) as error:
                sys.exit(f"ecgstream receive: the certificate cannot be used: {error}")
        return Broker(self.host, self.port, f"ecgstream-{gateway}", self.user, password, tls)
