-- Whether the National Early Warning Score 2 is kept of a patient, and by which scale of SpO2: nobody's until a clinician
-- says that the patient is 16 or older and not pregnant.

ALTER TABLE ecg.patient
    ADD COLUMN news2 text NOT NULL DEFAULT 'OFF' CHECK (news2 IN ('OFF', 'SCALE_1', 'SCALE_2')),
    ADD CONSTRAINT patient_news2_of_adults CHECK (news2 = 'OFF' OR category = 'ADULT');

CREATE OR REPLACE VIEW api.patients WITH (security_barrier) AS
SELECT patient, facility, category, paced, news2 FROM ecg.patient;
