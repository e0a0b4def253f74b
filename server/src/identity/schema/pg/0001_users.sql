CREATE TABLE users (
    user_id      bigint PRIMARY KEY,
    bucket       integer NOT NULL CHECK (bucket = user_id % 960),
    display_name text NOT NULL,
    email        text NOT NULL,
    email_norm   text NOT NULL,
    event_seq    bigint NOT NULL,
    version      bigint NOT NULL,
    tombstone    integer NOT NULL CHECK (tombstone IN (0, 1)),
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL
);
CREATE TABLE api_key (
    user_id      bigint NOT NULL,
    key_id       bigint NOT NULL,
    bucket       integer NOT NULL CHECK (bucket = user_id % 960),
    secret_hash  bytea NOT NULL,
    display_name text NOT NULL,
    admin        integer NOT NULL CHECK (admin IN (0, 1)),
    created_at   bigint NOT NULL,
    revoked_at   bigint,
    PRIMARY KEY (user_id, key_id)
);
