//! Schemas by server reflection.
