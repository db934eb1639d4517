"""The report of a resting ECG of 12 leads: ten seconds, measured on the median beat of all leads."""
