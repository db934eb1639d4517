"""Vital signs made for tests, and what a bank makes of them."""

from detectors.bank import Bank
from schemas import mdc
from schemas.conditions import Code
from schemas.records import Category, Control, News2, Settings, Vital
from tests.detectors import synthetic as syn

S = 10**9
HOUR = 3600


def at(second, code, value, session=1):
    return Vital("d", session, syn.START_NS + second * S, code, value)


def each_second(code, values, first=0):
    return [at(first + i, code, float(v)) for i, v in enumerate(values)]


def tell(bank, change, session=0, sample=0):
    bank.control(Control(f"{session}/{sample}", "d", session, sample, 0, "ward", change))


def watched(*changes):
    bank = Bank()
    for change in changes:
        tell(bank, change)
    return bank


def push(bank, *vitals):
    return bank.push(syn.bundle([], vitals))


def times(events, code, phase):
    """Seconds at which a phase of a condition was told."""
    return [(int(t) - syn.START_NS) / S for t in syn.phases(events, code, phase)["time_ns"]]


ADULT, CHILD, NEONATE = (Settings(category, paced=False) for category in Category)


ON = Settings(Category.ADULT, paced=False, news2=News2.SCALE_1)
SPOT = {mdc.OXYGEN_GIVEN: 0.0, mdc.NIBP_SYS: 120.0, mdc.CONSCIOUSNESS: 0.0, mdc.TEMPERATURE: 37.0}
STREAM = {mdc.RESP_RATE: 16.0, mdc.SPO2: 97.0, mdc.PULSE_RATE: 70.0}
CALM = SPOT | STREAM
URGENT, EMERGENCY = Code.NEWS2_URGENT, Code.NEWS2_EMERGENCY


def stream(first, last, step=10, **values):
    """The numbers of a monitor, every ten seconds."""
    told = STREAM | {getattr(mdc, name): value for name, value in values.items()}
    return [at(t, code, value) for t in range(first, last, step) for code, value in told.items()]


def spot(second=0, **values):
    told = SPOT | {getattr(mdc, name): value for name, value in values.items()}
    return [at(second, code, value) for code, value in told.items()]


def responses(events):
    return [code for code in syn.codes(events) if code in (URGENT, EMERGENCY)]
