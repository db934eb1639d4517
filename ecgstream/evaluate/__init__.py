"""How good the detectors are, on recordings that people have annotated.

After ANSI/AAMI EC57:2012, "Testing and reporting performance results of cardiac rhythm and ST segment
measurement algorithms", and as the WFDB applications ``bxb`` and ``epicmp`` do it. ``played`` sends a
recording through a detector bank as a gateway would, packet by packet; ``truth`` reads what people said;
``beatwise``, ``scored``, ``episodes``, ``auc`` and ``statistics`` compare; each suite is a module of
``suites``; ``others`` are detectors to compare with; ``speed`` takes the time; ``report`` tells.
"""
