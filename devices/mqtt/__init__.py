"""MQTT 5: devices that publish to a broker, from which a gateway takes what they say."""
