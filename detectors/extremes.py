"""When a heart rate is extreme and a pause an asystole, by kind of patient.

|            | asystole | extreme bradycardia          | extreme tachycardia                                 |
|------------|----------|------------------------------|-----------------------------------------------------|
| adult      | 4 s      | below 42, over above 45 /min | above 140 (145), over below 130, or the last at 120 |
| paediatric | 4 s      | below 40, over above 43 /min | above 220 (228), over below 204, or the last at 189 |
| neonate    | 3 s      | below 50, over above 54 /min | above 240 (249), over below 223, or the last at 206 |

In brackets: the mean of nine beats, which tells it sooner than that of 17.
Adult: the definitions of the PhysioNet Challenge 2015 (G. D. Clifford et al., Computers in Cardiology 42
(2015) 273-276), but for two values chosen on its recordings: bradycardia is 42 instead of 40, since people
called rhythms of 41 by that name, and a rate may be off by as much; and the brackets, since fast runs too
short for 17 beats were called tachycardias. Paediatric and neonate: those that bedside monitors commonly
come with; no standard sets them, and they have not been tried on recordings of children. What ends a
condition, and how long RR intervals of a bradycardia are (0.8 of the mean at its threshold), is scaled from
the adult, and so are the brackets.

A supraventricular tachycardia is above 100, 180 and 220 a minute: R. K. Sandau et al., Circulation 136
(2017) e273-e344 for adults; A. A. Topjian et al., "Pediatric basic and advanced life support", Circulation
142 (2020) S469-S523 for children and infants.
"""

import numpy as np

from detectors.control import CATEGORIES
from schemas.records import Category

_TABLE = {
    Category.ADULT: (4.0, 42.0, 45.0, 1.14, 140.0, 145.0, 130.0, 100.0, 120.0),
    Category.PAEDIATRIC: (4.0, 40.0, 43.0, 1.2, 220.0, 228.0, 204.0, 180.0, 189.0),
    Category.NEONATE: (3.0, 50.0, 54.0, 0.96, 240.0, 249.0, 223.0, 220.0, 206.0),
}
EXTREMES = np.array(
    [_TABLE[category] for category in CATEGORIES],
    [
        ("asystole_s", np.float64),
        ("slow_bpm", np.float64),
        ("slow_end_bpm", np.float64),
        ("slow_rr_s", np.float64),  # all RR intervals of a bradycardia but one are at least so long
        ("fast_bpm", np.float64),
        ("soon_bpm", np.float64),  # of the last nine beats
        ("fast_end_bpm", np.float64),
        ("svt_bpm", np.float64),  # a supraventricular tachycardia is above it
        ("fast_back_bpm", np.float64),  # the last beats so slow: not extreme, whatever the mean of 17 says
    ],
)
"""One row a category, by its number in the state."""
