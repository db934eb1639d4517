"""Consultation: a clinic asks for an opinion on a stretch of ECG; who is asked, by when, who may do what."""
