CREATE TABLE sample_data (
    id       integer PRIMARY KEY CHECK (id = 1),
    seed     bigint NOT NULL,
    finished integer NOT NULL CHECK (finished IN (0, 1))
);
