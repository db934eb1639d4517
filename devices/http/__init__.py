"""How devices talk HTTP to a gateway: pure codecs, a thin application around them (docs/devices-http.md)."""
