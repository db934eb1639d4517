"""IEEE 11073-10101 codes (MDC) of the numbers and waves that are handled here, with their units.

The context-free code is ``partition times 65,536 + term``; partition 2 (SCADA) holds measurements.
"""

ECG = 131328  # MDC_ECG_ELEC_POTL: an ECG lead that is not named further
PLETH = 150452  # MDC_PULS_OXIM_PLETH
ABP = 150032  # MDC_PRESS_BLD_ART
RESP = 151552  # MDC_RESP

HEART_RATE = 147842  # MDC_ECG_HEART_RATE, /min
VPC_RATE = 148066  # MDC_ECG_V_P_C_RATE, /min
RR = 147240  # MDC_ECG_TIME_PD_RR_GL, s: from one beat to the next
ST = 131840  # MDC_ECG_AMPL_ST, mV: of a lead that is not named
PULSE_RATE = 149530  # MDC_PULS_OXIM_PULS_RATE, /min
SPO2 = 150456  # MDC_PULS_OXIM_SAT_O2, %
RESP_RATE = 151562  # MDC_RESP_RATE, /min
NIBP_SYS = 150021  # MDC_PRESS_BLD_NONINV_SYS, mm[Hg]
NIBP_DIA = 150022  # MDC_PRESS_BLD_NONINV_DIA, mm[Hg]
NIBP_MEAN = 150023  # MDC_PRESS_BLD_NONINV_MEAN, mm[Hg]
TEMPERATURE = 150364  # MDC_TEMP_BODY, Cel

BATTERY_CHARGE = 67996  # MDC_ATTR_VAL_BATT_CHARGE (partition 1, object infrastructure), %

# No MDC term says "share of the minute in which the ECG could be analysed": a private code of ours,
# in the range that 11073-10101 leaves to manufacturers (terms 0xF000 to 0xFFFF of partition 2).
ECG_ANALYSED = 2 * 65536 + 0xF001  # %

# Private for the same reason: MDC has the Glasgow coma score (153728) but no ACVPU, and the concentration of
# inspired oxygen but not whether a patient is given any, which a mask or a cannula does not measure.
CONSCIOUSNESS = 2 * 65536 + 0xF010  # ACVPU: 0 alert, 1 new confusion, 2 voice, 3 pain, 4 unresponsive
OXYGEN_GIVEN = 2 * 65536 + 0xF011  # 0: breathes air, 1: is given oxygen, at whatever flow
NEWS2 = 2 * 65536 + 0xF012  # National Early Warning Score 2, 0 to 20, where all its inputs are fresh
NEWS2_INPUTS = 2 * 65536 + 0xF013  # how many of its seven inputs are fresh

_LEAD_TERMS = {
    "I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8,
    "III": 61, "aVR": 62, "aVL": 63, "aVF": 64,
}  # fmt: skip
LEADS = {name: ECG + term for name, term in _LEAD_TERMS.items()}
"""Lead name to code: MDC_ECG_ELEC_POTL_I and so on."""
ST_LEADS = {name: ST + term for name, term in _LEAD_TERMS.items()}
"""Lead name to the code of its ST level: MDC_ECG_AMPL_ST_I and so on, mV."""

UNITS = {
    HEART_RATE: "/min",
    VPC_RATE: "/min",
    RR: "s",
    ST: "mV",
    PULSE_RATE: "/min",
    SPO2: "%",
    RESP_RATE: "/min",
    NIBP_SYS: "mm[Hg]",
    NIBP_DIA: "mm[Hg]",
    NIBP_MEAN: "mm[Hg]",
    TEMPERATURE: "Cel",
    BATTERY_CHARGE: "%",
    ECG_ANALYSED: "%",
    CONSCIOUSNESS: "{ACVPU}",
    OXYGEN_GIVEN: "{flag}",
    NEWS2: "{score}",
    NEWS2_INPUTS: "{inputs}",
    **dict.fromkeys(ST_LEADS.values(), "mV"),
}
"""UCUM unit of each number."""

COMPUTED = frozenset({ECG_ANALYSED, NEWS2, NEWS2_INPUTS, *ST_LEADS.values()})
"""Numbers that are made here: from a device none is taken."""

EVENTS = {
    name: 3 * 65536 + term
    for name, term in (
        ("MDC_EVT_APNEA", 3072),
        ("MDC_EVT_ECG_ASYSTOLE", 3076),
        ("MDC_EVT_ECG_ATR_FIB", 3128),
    )
}
"""Event to code, partition 3: those that could be verified, since DICOM prints them (PS3.16, CID 3038)."""

_LEAD_NAMES = {code: name for name, code in LEADS.items()}


def lead_code(name: str) -> int:
    """Return the code of a lead by its name in a recording; a lead without a term of its own is ``ECG``.

    Modified limb leads count as the limb lead they imitate, as monitors label them.

    >>> lead_code("MLII"), lead_code("AVR"), lead_code("ECG1")
    (131330, 131390, 131328)
    """
    plain = name.strip().upper().removeprefix("ECG ").removeprefix("ML").removeprefix("MOD ")
    return next((code for lead, code in LEADS.items() if lead.upper() == plain), ECG)


def lead_name(code: int) -> str:
    """Return the name of a lead, ``ECG`` where it has none.

    >>> lead_name(131330)
    'II'
    """
    return _LEAD_NAMES.get(code, "ECG")
