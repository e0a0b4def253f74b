CREATE TABLE identity_email (
    email_norm   TEXT PRIMARY KEY NOT NULL,
    user_id      INTEGER NOT NULL,
    state        INTEGER NOT NULL CHECK (state IN (1, 2)),
    request_key  TEXT UNIQUE,
    request_hash BLOB,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX identity_email_active ON identity_email (user_id) WHERE state = 2;
CREATE INDEX identity_email_reserved ON identity_email (expires_at) WHERE state = 1;
