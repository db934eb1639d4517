"""The suites: what of the detectors is looked at."""

from ecgstream.evaluate.suite import Suite
from ecgstream.evaluate.suites import af, alarms, beats, burden, noise, patterns, rhythm, timing

SUITES: dict[str, Suite] = {
    module.SUITE.name: module.SUITE for module in (beats, rhythm, patterns, alarms, burden, af, noise, timing)
}
