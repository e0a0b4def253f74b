//! Which cases there are, and which do not run yet.

/// Every case of the list, a line for each section.
pub(crate) const ALL: [&str; 8] = [
    "A01 A03 A04 A06 A07 A09 A10 A12 A13 A15 A16 A18 A19 A21 A22 A24 A25 A27 A28 A30 A31 A33 A34",
    "B01 B03 B04 B06 B07 B09 B10 B12 B13 B15 B16 B18 B19 B21 B22 B24 B25 B27 B28 B30 B31 B33 B34 B36 B37 B39 B40 B42 \
     B43 B45 B46 B48 B49",
    "C01 C03 C04 C06 C07 C09 C10 C12 C13 C15 C16 C18 C19 C21 C22 C24 C25 C27 C28 C30 C31 C33 C34 C36 C37 C39 C40 C42 \
     C43 C45 C46 C48",
    "D01 D03 D04 D06 D07 D09 D10 D12 D13 D15 D16 D18 D19 D21 D22 D24 D25 D27 D28 D30 D31 D33 D34 D36 D37 D39 D40 D42 \
     D43 D45 D46 D48 D49 D51 D52 D54 D55 D57 D58 D60 D61",
    "E01 E03 E04 E06 E07 E09 E10 E12 E13",
    "F01 F03 F04 F06 F07 F09 F10 F12 F13",
    "G01 G03 G04 G06 G07 G09 G10 G12 G13 G15 G16 G18 G19 G21 G22 G24 G25 G27 G28 G30 G31 G33 G34 G36 G37",
    "H01 H02 H03 H04 H05 H06 H07 H08 H09 H10 H11 H12 H13 H14 H15 H16 H17 H18 H19 H21 H22 H24 H25 H27 H28 H30 H31 H33 \
     H34 H36 H37 H39 H40 H42 H43 H45 H46 H48",
];

/// Cases, and parts of cases, whose feature comes later.
pub(crate) const LATER: &[(&str, &str)] = &[
    ("C48", "form bodies"),
    ("D58", "google.api.HttpBody"),
    ("D60", "google.api.HttpBody"),
    ("D61", "multipart bodies"),
    ("G13", "google.api.HttpBody"),
    ("G15", "google.api.HttpBody"),
    ("G16", "google.api.HttpBody"),
    ("G34", "compression"),
    ("G36", "ETag and conditional requests"),
    ("G37", "partial responses"),
    ("H45/by POST", "form bodies: a long GET as a POST form, by option"),
    ("H48", "rate limits"),
];

/// Cases, and parts of cases, that do not pass yet, and why. The run says when one of them does.
pub(crate) const PENDING: &[(&str, &str)] = &[];
