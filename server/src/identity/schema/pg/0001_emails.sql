CREATE TABLE identity_email (
    email_norm   text COLLATE "C" PRIMARY KEY,
    user_id      bigint NOT NULL,
    state        integer NOT NULL CHECK (state IN (1, 2)),
    request_key  text COLLATE "C" UNIQUE,
    request_hash bytea,
    expires_at   bigint NOT NULL
);
CREATE UNIQUE INDEX identity_email_active ON identity_email (user_id) WHERE state = 2;
CREATE INDEX identity_email_reserved ON identity_email (expires_at) WHERE state = 1;
