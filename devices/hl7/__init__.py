"""HL7 v2 over MLLP, as bedside monitors and their gateways speak it (IHE PCD-01, WCM); bytes only, no I/O.

``mllp`` frames, ``message`` reads the syntax, ``pcd`` the meaning, ``ack`` answers, ``write`` is the
other side.
"""
