-- A block stays in its row, up to the 8 kB of a page. Rows of 250 Hz lie about the 2 kB at which PostgreSQL moves
-- values into a second table, where each costs a row and an index entry more to write, and a look-up to read.

ALTER TABLE ecg.trace SET (toast_tuple_target = 8160);
