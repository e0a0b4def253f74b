CREATE TABLE users (
    user_id      INTEGER PRIMARY KEY NOT NULL,
    bucket       INTEGER NOT NULL CHECK (bucket = user_id % 960),
    display_name TEXT NOT NULL,
    email        TEXT NOT NULL,
    email_norm   TEXT NOT NULL,
    event_seq    INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    tombstone    INTEGER NOT NULL CHECK (tombstone IN (0, 1)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE TABLE api_key (
    user_id      INTEGER NOT NULL,
    key_id       INTEGER NOT NULL,
    bucket       INTEGER NOT NULL CHECK (bucket = user_id % 960),
    secret_hash  BLOB NOT NULL,
    display_name TEXT NOT NULL,
    admin        INTEGER NOT NULL CHECK (admin IN (0, 1)),
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    PRIMARY KEY (user_id, key_id)
) STRICT, WITHOUT ROWID;
