"""The catalogue of alarm conditions.

A condition is physiological (about the patient) or technical (about the equipment), in the sense of
IEC 60601-1-8, 3.1 to 3.36. Its priority is decided further right, in ``alerts``. The catalogue only
ever grows: numbers and names travel.
"""

from dataclasses import dataclass
from enum import IntEnum, unique


@unique
class Code(IntEnum):
    """Alarm conditions; the number is what compiled detectors write, the name is what travels.

    From 64 on: of the system itself, not of a device; most are found by the watch.
    """

    ASYSTOLE = 1
    VENTRICULAR_FIBRILLATION = 2
    VENTRICULAR_TACHYCARDIA = 3
    EXTREME_BRADYCARDIA = 4
    EXTREME_TACHYCARDIA = 5
    HEART_RATE_LOW = 6
    HEART_RATE_HIGH = 7
    SPO2_LOW = 8
    RESPIRATION_RATE_LOW = 9
    RESPIRATION_RATE_HIGH = 10
    PULSE_RATE_LOW = 11
    PULSE_RATE_HIGH = 12
    NIBP_SYSTOLIC_LOW = 13
    NIBP_SYSTOLIC_HIGH = 14
    TEMPERATURE_LOW = 15
    TEMPERATURE_HIGH = 16
    SPO2_HIGH = 17
    ATRIAL_FIBRILLATION = 18
    VENTRICULAR_RUN = 19
    VENTRICULAR_COUPLET = 20
    VENTRICULAR_BIGEMINY = 21
    VENTRICULAR_TRIGEMINY = 22
    R_ON_T = 23
    VPC_RATE_HIGH = 24
    SUPRAVENTRICULAR_TACHYCARDIA = 25
    PAUSE = 26
    MISSED_BEAT = 27
    AV_BLOCK = 28
    PACER_NOT_CAPTURING = 29
    PACER_NOT_PACING = 30
    SUSTAINED_VENTRICULAR_TACHYCARDIA = 31
    LEAD_OFF = 32
    ALL_LEADS_OFF = 33
    ECG_NOISY = 34
    SIGNAL_GAP = 35
    DEVICE_RESTARTED = 36
    LINK_LOST = 37
    ST_ELEVATION = 38
    ST_DEPRESSION = 39
    DESATURATION = 40
    APNOEA = 41
    NEWS2_URGENT = 42
    NEWS2_EMERGENCY = 43
    PIPELINE_STALLED = 64
    PIPELINE_BEHIND = 65
    BROKER_AWAY = 66
    BROKER_DEGRADED = 67
    DATABASE_AWAY = 68
    SINK_STALLED = 69
    PAGER_STALLED = 70
    GATEWAY_BEHIND = 71
    GATEWAY_SILENT = 72
    DISK_NEARLY_FULL = 73
    RECORDS_LOST = 74
    ROSTER_HOLE = 75
    TEST_PAGE = 76
    GATEWAY_LOSES = 77
    AUDIT_STALLED = 78
    CONSULTATION = 79


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a condition means to a person, and its MDC event where 11073-10101 has one."""

    text: str
    technical: bool = False
    mdc_event: str = ""


CATALOGUE = {
    Code.ASYSTOLE: Meaning("Asystole", mdc_event="MDC_EVT_ECG_ASYSTOLE"),
    Code.VENTRICULAR_FIBRILLATION: Meaning(
        "Ventricular fibrillation or flutter", mdc_event="MDC_EVT_ECG_V_FIB"
    ),
    Code.VENTRICULAR_TACHYCARDIA: Meaning("Ventricular tachycardia", mdc_event="MDC_EVT_ECG_V_TACHY"),
    Code.EXTREME_BRADYCARDIA: Meaning("Extreme bradycardia"),
    Code.EXTREME_TACHYCARDIA: Meaning("Extreme tachycardia"),
    Code.HEART_RATE_LOW: Meaning("Heart rate below its limit"),
    Code.HEART_RATE_HIGH: Meaning("Heart rate above its limit"),
    Code.SPO2_LOW: Meaning("SpO2 below its limit"),
    Code.RESPIRATION_RATE_LOW: Meaning("Respiration rate below its limit"),
    Code.RESPIRATION_RATE_HIGH: Meaning("Respiration rate above its limit"),
    Code.PULSE_RATE_LOW: Meaning("Pulse rate below its limit"),
    Code.PULSE_RATE_HIGH: Meaning("Pulse rate above its limit"),
    Code.NIBP_SYSTOLIC_LOW: Meaning("Systolic pressure below its limit"),
    Code.NIBP_SYSTOLIC_HIGH: Meaning("Systolic pressure above its limit"),
    Code.TEMPERATURE_LOW: Meaning("Temperature below its limit"),
    Code.TEMPERATURE_HIGH: Meaning("Temperature above its limit"),
    Code.SPO2_HIGH: Meaning("SpO2 above its limit"),
    Code.ATRIAL_FIBRILLATION: Meaning("Atrial fibrillation", mdc_event="MDC_EVT_ECG_ATR_FIB"),
    Code.VENTRICULAR_RUN: Meaning("Run of ventricular beats"),
    Code.VENTRICULAR_COUPLET: Meaning("Ventricular couplet"),
    Code.VENTRICULAR_BIGEMINY: Meaning("Ventricular bigeminy"),
    Code.VENTRICULAR_TRIGEMINY: Meaning("Ventricular trigeminy"),
    Code.R_ON_T: Meaning("Ventricular beat on the T wave before it"),
    Code.VPC_RATE_HIGH: Meaning("More ventricular beats a minute than the limit"),
    Code.SUPRAVENTRICULAR_TACHYCARDIA: Meaning("Supraventricular tachycardia"),
    Code.PAUSE: Meaning("Pause"),
    Code.MISSED_BEAT: Meaning("Missed beat"),
    Code.AV_BLOCK: Meaning("Atrioventricular block suspected"),
    Code.PACER_NOT_CAPTURING: Meaning("Pacemaker does not capture"),
    Code.PACER_NOT_PACING: Meaning("Pacemaker does not pace"),
    Code.SUSTAINED_VENTRICULAR_TACHYCARDIA: Meaning("Sustained ventricular tachycardia: 30 s and more"),
    Code.LEAD_OFF: Meaning("An ECG lead is off", technical=True),
    Code.ALL_LEADS_OFF: Meaning("All ECG leads are off: heart not monitored", technical=True),
    Code.ECG_NOISY: Meaning("ECG cannot be analysed", technical=True),
    Code.SIGNAL_GAP: Meaning("Samples are missing", technical=True),
    Code.DEVICE_RESTARTED: Meaning("Device has restarted", technical=True),
    Code.LINK_LOST: Meaning("No data from the device", technical=True),
    Code.ST_ELEVATION: Meaning("ST elevation"),
    Code.ST_DEPRESSION: Meaning("ST depression"),
    Code.DESATURATION: Meaning("Desaturation"),
    Code.APNOEA: Meaning("Apnoea", mdc_event="MDC_EVT_APNEA"),
    Code.NEWS2_URGENT: Meaning("NEWS2 asks for an urgent response"),
    Code.NEWS2_EMERGENCY: Meaning("NEWS2 asks for an emergency response"),
    Code.PIPELINE_STALLED: Meaning("Detection stands still", technical=True),
    Code.PIPELINE_BEHIND: Meaning("Detection falls behind the signal", technical=True),
    Code.BROKER_AWAY: Meaning("Kafka cannot be reached", technical=True),
    Code.BROKER_DEGRADED: Meaning("Kafka has lost a broker or copies", technical=True),
    Code.DATABASE_AWAY: Meaning("The database cannot be reached", technical=True),
    Code.SINK_STALLED: Meaning("Findings are not stored", technical=True),
    Code.PAGER_STALLED: Meaning("Nobody is paged", technical=True),
    Code.GATEWAY_BEHIND: Meaning("A gateway cannot pass on what it receives", technical=True),
    Code.GATEWAY_SILENT: Meaning("Nothing is heard of a gateway", technical=True),
    Code.DISK_NEARLY_FULL: Meaning("A disk is nearly full", technical=True),
    Code.RECORDS_LOST: Meaning("Records were gone before they were processed", technical=True),
    Code.ROSTER_HOLE: Meaning("Nobody will be on duty", technical=True),
    Code.TEST_PAGE: Meaning("TEST PAGE, no patient", technical=True),
    Code.GATEWAY_LOSES: Meaning("A gateway has lost data of its devices", technical=True),
    Code.AUDIT_STALLED: Meaning("The audit log is not signed", technical=True),
    Code.CONSULTATION: Meaning("CONSULTATION, no alarm", technical=True),
}
