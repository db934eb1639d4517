// Names of ECG leads by their MDC codes, in their usual order; UNNAMED is a lead that has no name.

export const UNNAMED = 131328;
export const LEADS = new Map([
  [131329, "I"], [131330, "II"], [131389, "III"], [131390, "aVR"], [131391, "aVL"], [131392, "aVF"],
  [131331, "V1"], [131332, "V2"], [131333, "V3"], [131334, "V4"], [131335, "V5"], [131336, "V6"],
]);
