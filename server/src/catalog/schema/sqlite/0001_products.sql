CREATE TABLE product (
    product_id   TEXT PRIMARY KEY NOT NULL,
    display_name TEXT NOT NULL,
    description  TEXT NOT NULL,
    currency     TEXT NOT NULL,
    price_minor  INTEGER NOT NULL CHECK (price_minor >= 0),
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
