CREATE TABLE orders (
    user_id     INTEGER NOT NULL,
    order_id    INTEGER NOT NULL UNIQUE,
    bucket      INTEGER NOT NULL CHECK (bucket = user_id % 960),
    state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 9),
    currency    TEXT NOT NULL,
    total_minor INTEGER NOT NULL CHECK (total_minor >= 0),
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, order_id)
) STRICT;
CREATE TABLE order_line (
    user_id      INTEGER NOT NULL,
    order_id     INTEGER NOT NULL,
    line_no      INTEGER NOT NULL,
    bucket       INTEGER NOT NULL CHECK (bucket = user_id % 960),
    product_id   TEXT NOT NULL,
    display_name TEXT NOT NULL,
    quantity     INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
    unit_minor   INTEGER NOT NULL CHECK (unit_minor >= 0),
    PRIMARY KEY (user_id, order_id, line_no)
) STRICT, WITHOUT ROWID;
CREATE TABLE order_event (
    user_id  INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    bucket   INTEGER NOT NULL CHECK (bucket = user_id % 960),
    order_id INTEGER NOT NULL,
    state    INTEGER NOT NULL CHECK (state BETWEEN 1 AND 9),
    at       INTEGER NOT NULL,
    PRIMARY KEY (user_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_event_order ON order_event (user_id, order_id, number);
