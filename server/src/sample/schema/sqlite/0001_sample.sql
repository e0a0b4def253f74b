CREATE TABLE sample_data (
    id       INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    seed     INTEGER NOT NULL,
    finished INTEGER NOT NULL CHECK (finished IN (0, 1))
) STRICT;
