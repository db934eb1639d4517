"""Which priority a condition has.

IEC 60601-1-8, table 1: the priority follows from what may happen to the patient if nobody responds, and how
soon. High: death or irreversible injury, at once or promptly. Medium: reversible injury promptly, or
irreversible injury with delay. Low: minor or reversible injury with delay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from alerts.state import Event, State
from schemas.conditions import CATALOGUE, Code
from schemas.records import Priority

MARKS = {Priority.HIGH: "!!!", Priority.MEDIUM: "!!", Priority.LOW: "!"}
"""One to three exclamation marks, so that colour is not alone (IEC 60601-1-8, annex C)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A priority and why it is that."""

    priority: Priority
    why: str


def _high(why: str) -> Judgement:
    return Judgement(Priority.HIGH, why)


def _medium(why: str) -> Judgement:
    return Judgement(Priority.MEDIUM, why)


def _low(why: str) -> Judgement:
    return Judgement(Priority.LOW, why)


_LIMIT = (
    "a limit that the ward has set is passed: injury comes with delay, and its extremes alarm by themselves"
)
_SLOW = "changes over minutes to hours, so that a response within minutes prevents injury"
_ECTOPY = "says that the heart is irritable; what harms alarms by itself"
_PACER = "the heart lives by its own rhythm, or stands still, which alarms by itself"
_HEART_MUSCLE = "heart muscle may be dying, over minutes to hours; monitoring leads only hint at it"

JUDGEMENTS = {
    Code.ASYSTOLE: _high("no circulation: death within minutes"),
    Code.VENTRICULAR_FIBRILLATION: _high("no circulation: death within minutes"),
    Code.VENTRICULAR_TACHYCARDIA: _high("may have no output, and turns into fibrillation"),
    Code.EXTREME_BRADYCARDIA: _high("output fails; asystole may follow at once"),
    Code.EXTREME_TACHYCARDIA: _high("output fails; may be a ventricular tachycardia not told apart"),
    Code.HEART_RATE_LOW: _medium(_LIMIT),
    Code.HEART_RATE_HIGH: _medium(_LIMIT),
    Code.SPO2_LOW: _medium("hypoxia harms within minutes; a probe that slips looks the same, so not high"),
    Code.SPO2_HIGH: _medium("too much oxygen harms a preterm's eyes within hours; a limit is set for few"),
    Code.RESPIRATION_RATE_LOW: _medium("may become apnoea, which harms within minutes"),
    Code.RESPIRATION_RATE_HIGH: _medium(_SLOW),
    Code.PULSE_RATE_LOW: _medium(_LIMIT),
    Code.PULSE_RATE_HIGH: _medium(_LIMIT),
    Code.NIBP_SYSTOLIC_LOW: _medium("shock harms organs with delay; measured every few minutes only"),
    Code.NIBP_SYSTOLIC_HIGH: _medium("harms with delay; measured every few minutes only"),
    Code.TEMPERATURE_LOW: _low(_SLOW),
    Code.TEMPERATURE_HIGH: _low(_SLOW),
    Code.ATRIAL_FIBRILLATION: _medium(
        "may bring a stroke with delay; not high, since a rate that fails the circulation alarms by itself"
    ),
    Code.VENTRICULAR_RUN: _medium("short, but of the kind that a ventricular tachycardia begins with"),
    Code.VENTRICULAR_COUPLET: _low(_ECTOPY),
    Code.VENTRICULAR_BIGEMINY: _low(_ECTOPY),
    Code.VENTRICULAR_TRIGEMINY: _low(_ECTOPY),
    Code.R_ON_T: _low("may set off a fibrillation, which alarms by itself; most never do"),
    Code.VPC_RATE_HIGH: _low(_ECTOPY),
    Code.SUPRAVENTRICULAR_TACHYCARDIA: _medium(
        "seldom fails the circulation, and a rate that does alarms by itself; may need treatment in the hour"
    ),
    Code.PAUSE: _medium("a heart that paused may stand still next; that it does alarms by itself"),
    Code.MISSED_BEAT: _low("one beat; a pause, or a rate that falls, alarms by itself"),
    Code.AV_BLOCK: _medium("may become complete, with a rate that fails; suspected from one or two leads"),
    Code.PACER_NOT_CAPTURING: _medium(_PACER),
    Code.PACER_NOT_PACING: _medium(_PACER),
    Code.SUSTAINED_VENTRICULAR_TACHYCARDIA: _high("does not end by itself: must be ended now"),
    Code.ST_ELEVATION: _medium(_HEART_MUSCLE),
    Code.ST_DEPRESSION: _medium(_HEART_MUSCLE),
    Code.DESATURATION: _high("far below the limit: the brain is harmed within minutes"),
    Code.APNOEA: _high("no breath: cardiac arrest follows within minutes"),
    Code.NEWS2_URGENT: _medium("the score's authors ask for an urgent review by a clinician"),
    Code.NEWS2_EMERGENCY: _medium(
        "the score's authors ask for an emergency assessment; not high, since it moves with spot "
        "measurements and what kills within minutes alarms by itself"
    ),
    Code.LEAD_OFF: _low("the other leads still watch the heart"),
    Code.ALL_LEADS_OFF: _medium(
        "nobody watches the heart, so an arrhythmia would go unseen; but nothing says that there is one, and "
        "the bedside monitor alarms as well"
    ),
    Code.ECG_NOISY: _medium("while it lasts an arrhythmia may go unseen, as with all leads off"),
    Code.SIGNAL_GAP: _low("what is missing was seconds and is over; a gap that lasts is a lost link"),
    Code.DEVICE_RESTARTED: _low("monitoring goes on; the detectors learn anew for some seconds"),
    Code.LINK_LOST: _medium(
        "nobody here watches the patient, so a condition would go unseen; but nothing says that there is "
        "one, and the bedside monitor does not need the link. Not high: a power cut would bury the true ones"
    ),
    Code.PIPELINE_STALLED: _high("all patients of a partition, or of all, are watched by nobody here"),
    Code.PIPELINE_BEHIND: _high("every alarm comes too late, and later by the minute"),
    Code.BROKER_AWAY: _high("nothing arrives, so nobody here watches any patient"),
    Code.BROKER_DEGRADED: _medium("all goes on, but the next failure may stop it or lose records"),
    Code.DATABASE_AWAY: _high(
        "pages still go out, but whoever is paged finds no trace of the patient to judge by, and what waits "
        "in Kafka is kept for days only"
    ),
    Code.SINK_STALLED: _medium("pages go out and nothing is lost yet, but screens are stale"),
    Code.PAGER_STALLED: _high("conditions are found and nobody is told: an arrest may go unanswered"),
    Code.GATEWAY_BEHIND: _medium("what it passes on comes late; nothing says that a patient needs help"),
    Code.GATEWAY_SILENT: _medium("as a lost link, of all its devices"),
    Code.GATEWAY_LOSES: _medium(
        "what is lost had waited for days, or was a second: nobody can act on it now; but more follows until "
        "somebody mends the line or the disk"
    ),
    Code.AUDIT_STALLED: _low("no patient waits for it; it is to be mended within the day"),
    Code.DISK_NEARLY_FULL: _medium("said early: what stops when it is full harms patients, not this"),
    Code.RECORDS_LOST: _high("a stretch of signal was never analysed: an arrhythmia in it went unseen"),
    Code.TEST_PAGE: _medium("of no patient: it calls, so that people see that calls reach them"),
    Code.CONSULTATION: _medium(
        "no alarm: it calls, so that somebody takes the case; it waits behind what is one"
    ),
    Code.ROSTER_HOLE: _medium(
        "said a day ahead, and until it is mended pages go to those who are on duty above"
    ),
}


def priority_of(code: str) -> Priority:
    """Return the priority of a condition by the name it travels under.

    A name that this version does not know comes from a newer worker; it is high, since it may be anything.

    >>> priority_of("ASYSTOLE"), priority_of("LEAD_OFF"), priority_of("NOT_YET_KNOWN")
    (<Priority.HIGH: 'HIGH'>, <Priority.LOW: 'LOW'>, <Priority.HIGH: 'HIGH'>)
    """
    known = Code.__members__.get(code)
    return Priority.HIGH if known is None else JUDGEMENTS[known].priority


def is_technical(code: str) -> bool:
    """Return whether a condition is about the equipment; one that this version does not know may not be.

    >>> is_technical("LEAD_OFF"), is_technical("NOT_YET_KNOWN")
    (True, False)
    """
    known = Code.__members__.get(code)
    return known is not None and CATALOGUE[known].technical


def prioritise(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:  # noqa: ARG001
    """Give each event its priority; an alert that is open keeps the one it was raised with."""
    for event in events:
        if event.condition is not None:
            known = state.alerts.get(event.condition.id)
            event.priority = priority_of(event.condition.code) if known is None else known.priority
    return list(events)
