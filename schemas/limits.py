"""Default alarm limits by kind of patient, for whom nobody has set others.

They are those that bedside monitors commonly come with. No standard sets them; whoever answers for a patient
sets others. The upper limit of a neonate's SpO2 is for one who is given oxygen. The limits of ST are of its
change from the patient's own baseline (K. Thygesen et al., "Fourth universal definition of myocardial
infarction", Eur. Heart J. 40 (2019) 237-269: 0.1 mV in most leads); a pause of 3 s is the least that
guidelines act on in adults (M. Glikson et al., "2021 ESC guidelines on cardiac pacing and cardiac
resynchronization therapy", Eur. Heart J. 42 (2021) 3427-3520).
"""

from schemas import mdc
from schemas.records import Category, Limit


def _limits(
    rate: tuple[float, float],
    spo2: tuple[float, float | None],
    respiration: tuple[float, float],
    systolic: tuple[float, float],
    pause_s: float,
) -> tuple[Limit, ...]:
    return (
        Limit(mdc.HEART_RATE, *rate),
        Limit(mdc.PULSE_RATE, *rate),
        Limit(mdc.SPO2, *spo2),
        Limit(mdc.RESP_RATE, *respiration),
        Limit(mdc.NIBP_SYS, *systolic),
        Limit(mdc.TEMPERATURE, 35.0, 39.0),
        Limit(mdc.VPC_RATE, None, 10.0),
        Limit(mdc.RR, None, pause_s),
        Limit(mdc.ST, -0.1, 0.1),
    )


DEFAULTS: dict[Category, tuple[Limit, ...]] = {
    Category.ADULT: _limits((50.0, 120.0), (90.0, None), (8.0, 30.0), (90.0, 160.0), 3.0),
    Category.PAEDIATRIC: _limits((75.0, 160.0), (90.0, None), (8.0, 30.0), (70.0, 120.0), 2.5),
    Category.NEONATE: _limits((100.0, 200.0), (85.0, 95.0), (30.0, 100.0), (40.0, 90.0), 2.0),
}
"""One limit for each number that has limits, in the same order in each category; in the number's unit."""

LIMITED_CODES = tuple(limit.code for limit in DEFAULTS[Category.ADULT])
"""The MDC codes of the numbers with limits."""
