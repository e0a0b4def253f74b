CREATE TABLE orders (
    user_id     bigint NOT NULL,
    order_id    bigint NOT NULL UNIQUE,
    bucket      integer NOT NULL CHECK (bucket = user_id % 960),
    state       integer NOT NULL CHECK (state BETWEEN 1 AND 9),
    currency    text NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    version     bigint NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (user_id, order_id)
);
CREATE TABLE order_line (
    user_id      bigint NOT NULL,
    order_id     bigint NOT NULL,
    line_no      integer NOT NULL,
    bucket       integer NOT NULL CHECK (bucket = user_id % 960),
    product_id   text NOT NULL,
    display_name text NOT NULL,
    quantity     integer NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
    unit_minor   bigint NOT NULL CHECK (unit_minor >= 0),
    PRIMARY KEY (user_id, order_id, line_no)
);
CREATE TABLE order_event (
    user_id  bigint NOT NULL,
    number   bigint NOT NULL,
    bucket   integer NOT NULL CHECK (bucket = user_id % 960),
    order_id bigint NOT NULL,
    state    integer NOT NULL CHECK (state BETWEEN 1 AND 9),
    at       bigint NOT NULL,
    PRIMARY KEY (user_id, number)
);
CREATE INDEX order_event_order ON order_event (user_id, order_id, number);
