"""How a device speaks to a gateway: for simulated devices, and to try a gateway as a device would."""
