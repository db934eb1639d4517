"""The edge: recordings and simulated devices as live devices, and the gateway that bundles and publishes.

What lives here turns what a device measures into bundles in Kafka; nothing here looks at the signal.
"""
