-- A case that nobody has taken by its due time calls on (docs/consultation.md): each call leaves the row of the next one as
-- it is told, so that there is one of each step, whatever ends between.

ALTER TABLE ecg.consultation_call DROP CONSTRAINT consultation_call_what_check;
ALTER TABLE ecg.consultation_call ADD CONSTRAINT consultation_call_what_check
    CHECK (what IN ('asked', 'half', 'due', 'again', 'higher', 'untaken', 'sent_back', 'answered'));
DROP INDEX ecg.consultation_call_of;
CREATE UNIQUE INDEX consultation_call_once ON ecg.consultation_call (consultation, turn, what);
GRANT INSERT ON ecg.consultation_call TO ecg_registry;
