CREATE TABLE product (
    product_id   text COLLATE "C" PRIMARY KEY,
    display_name text NOT NULL,
    description  text NOT NULL,
    currency     text NOT NULL,
    price_minor  bigint NOT NULL CHECK (price_minor >= 0),
    version      bigint NOT NULL,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL
);
