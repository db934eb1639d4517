"""``ecgstream receive``: a gateway that devices send to."""

from pathlib import Path

from ecgstream.commands.flags import SettingsFlags, addressed
from ecgstream.mqtt import Asked
from ecgstream.receive import run, wanted_of


def receive(
    *,
    gateway: str = "gw-receive",
    http: str = "",
    mllp: str = "",
    certificate: Path | None = None,
    key: Path | None = None,
    authorities: Path | None = None,
    plain: bool = False,
    zone: str = "",
    mqtt: str = "",
    mqtt_user: str = "",
    shards: str = "1/1",
    settings: SettingsFlags = None,
) -> None:
    """Take what devices send, and pass it on to Kafka: by HTTP, files too, by HL7 v2 over MLLP and by MQTT.

    A device is answered once what it has sent is in the gateway's spool (a file in the folder --spool), not
    before; as `ecgstream gateway`, this one goes on while Kafka is away. Which devices may send, and as whom,
    their enrolments say: `ecgstream device enrol`. docs/devices.md says how a device connects.

    For instance:

        ecgstream receive --http 127.0.0.1:8095 --mllp 127.0.0.1:2575 --plain

    Args:
        gateway: name that the gateway goes by; two that run must have two.
        http: host:port on which HTTP is heard; devices show their keys, so that it wants TLS: by
            --certificate, or before it.
        mllp: host:port on which monitors are heard.
        certificate: the gateway's own (PEM).
        key: of the certificate (PEM).
        authorities: who has signed the certificates of monitors, and of the broker (PEM).
        plain: hear monitors without TLS, and believe who they say they are; speak to a broker without TLS: on
            a network that nothing but devices is on.
        zone: of devices' clocks where they state none, as Asia/Shanghai. Without it such times in messages
            are UTC, and such files are refused.
        mqtt: broker to which devices publish, as mqtts://broker.example:8883.
        mqtt_user: the gateway's name there; its password is the setting mqtt_password, or a secret.
        shards: K/N: of N gateways at one broker, this is number K, and takes its share of the devices.
        settings: see `ecgstream settings`.
    """
    found = addressed(settings, "kafka")
    broker = Asked.of(mqtt, mqtt_user, shards, plain=plain) if mqtt else None
    run(
        found,
        wanted_of(gateway, http, mllp, certificate, key, authorities, plain=plain, zone=zone, broker=broker),
    )
