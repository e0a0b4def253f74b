//! Scalars from text, by the rules of ProtoJSON; shared by bodies, paths and queries.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use prost_reflect::{EnumDescriptor, Kind, MapKey, Value};

use crate::codec::{Codec, token};
use crate::echo::quoted;
use crate::suggest;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A number, written as JSON writes it, for a numeric kind. `None` for kinds that are not numeric.
pub(crate) fn number(kind: &Kind, text: &str) -> Option<Result<Value, String>> {
    Some(match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            integer(text, i32::MIN.into(), i32::MAX.into()).map(|v| Value::I32(v as i32))
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            integer(text, i64::MIN.into(), i64::MAX.into()).map(|v| Value::I64(v as i64))
        }
        Kind::Uint32 | Kind::Fixed32 => integer(text, 0, u32::MAX.into()).map(|v| Value::U32(v as u32)),
        Kind::Uint64 | Kind::Fixed64 => integer(text, 0, u64::MAX.into()).map(|v| Value::U64(v as u64)),
        Kind::Double => double(text).map(Value::F64),
        Kind::Float => float(text).map(Value::F32),
        _ => return None,
    })
}

/// An integer in `min..=max`; `1.0` and `1e2` are integers, `1.5`, `010`, `0x10` and ` 1` are not.
pub(crate) fn integer(text: &str, min: i128, max: i128) -> Result<i128, String> {
    let malformed = || format!("{} is not an integer", quoted(text));
    if !token::is_number(text) {
        return Err(malformed());
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let significant = format!("{whole}{fraction}");
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let out_of_range = || format!("{} is not between {min} and {max}", quoted(text));
    // An exponent that does not fit is far out of range one way, and far below one the other way.
    let exponent: i64 = match exponent.parse::<i32>() {
        Ok(exponent) => exponent.into(),
        Err(_) if exponent.starts_with('-') => return Err(malformed()),
        Err(_) => return Err(out_of_range()),
    };
    // The value is `significant * 10^scale`.
    let scale = exponent - fraction.len() as i64;
    let trimmed = significant.trim_end_matches('0');
    let scale = scale + (significant.len() - trimmed.len()) as i64;
    if scale < 0 {
        return Err(malformed());
    }
    if trimmed.len() as i64 + scale > 20 {
        return Err(out_of_range());
    }
    let magnitude = trimmed.parse::<i128>().map_err(|_| malformed())? * 10_i128.pow(scale as u32);
    let value = if negative { -magnitude } else { magnitude };
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(out_of_range())
    }
}

pub(crate) fn double(text: &str) -> Result<f64, String> {
    match decimal(text, text.parse::<f64>().ok())? {
        value if value.is_infinite() => Err(format!("{} is out of range", quoted(text))),
        value => Ok(value),
    }
}

pub(crate) fn float(text: &str) -> Result<f32, String> {
    match decimal(text, text.parse::<f32>().ok())? {
        value if value.is_infinite() => Err(format!("{} is out of range", quoted(text))),
        value => Ok(value),
    }
}

// Rust's own parser takes `inf`, `+1` and `.5`, which JSON does not. It rounds a number of any length exactly, in time
// that grows with the length, which whoever holds the text has bounded.
fn decimal<F>(text: &str, parsed: Option<F>) -> Result<F, String> {
    let parsed = parsed.filter(|_| token::is_number(text));
    parsed.ok_or_else(|| format!("{} is not a number", quoted(text)))
}

/// The three numbers that JSON has no number for, as strings.
pub(crate) fn non_finite(kind: &Kind, text: &str) -> Option<Value> {
    let value = match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    };
    match kind {
        Kind::Double => Some(Value::F64(value)),
        Kind::Float => Some(Value::F32(value as f32)),
        _ => None,
    }
}

/// Base64, standard or URL-safe, padded or not.
pub(crate) fn bytes(text: &str) -> Result<Bytes, String> {
    let mut decoded = Vec::new();
    put_decoded(text, &mut decoded)?;
    Ok(decoded.into())
}

/// Appends what base64 text stands for; the same forms as [`bytes`].
pub(crate) fn put_decoded(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let engine = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let start = out.len();
    out.resize(start + base64::decoded_len_estimate(text.len()), 0);
    let length = engine
        .decode_slice(text, &mut out[start..])
        .map_err(|_| "not base64".to_owned())?;
    out.truncate(start + length);
    Ok(())
}

/// How long the base64 of some bytes is.
pub(crate) fn base64_len(bytes: &[u8]) -> usize {
    base64::encoded_len(bytes.len(), true).unwrap_or(usize::MAX)
}

/// Writes standard, padded base64 to the front of `room`, which has [`base64_len`] bytes, and returns its length.
pub(crate) fn put_base64(bytes: &[u8], room: &mut [u8]) -> usize {
    let written = base64::prelude::BASE64_STANDARD.encode_slice(bytes, room);
    written.unwrap_or_default()
}

/// Standard, padded base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

/// An enum value by name, whose letters may be in any case if the caller says so.
pub(crate) fn enum_name(kind: &EnumDescriptor, name: &str, any_case: bool) -> Result<Value, String> {
    if let Some(value) = kind.get_value_by_name(name) {
        return Ok(Value::EnumNumber(value.number()));
    }
    let values: Vec<_> = kind.values().collect();
    let mut in_any_case = values.iter().filter(|value| value.name().eq_ignore_ascii_case(name));
    if let Some(value) = in_any_case.next().filter(|_| any_case) {
        return Ok(Value::EnumNumber(value.number()));
    }
    let (text, hint) = unknown_enum_name(kind.full_name(), name, values.iter().map(|value| value.name()));
    Err(text + &hint)
}

/// What is wrong with a name that is not among an enum's, and what was probably meant: the end of the same sentence.
pub(crate) fn unknown_enum_name<'n>(
    full_name: &str,
    name: &str,
    names: impl Iterator<Item = &'n str>,
) -> (String, String) {
    let hint = suggest::nearest(name, names);
    let hint = hint.map(|hint| format!("; did you mean {hint}?")).unwrap_or_default();
    (format!("{} is not a value of {full_name}", quoted(name)), hint)
}

/// An enum value by number; a closed enum has no others than it declares. The plan knows which are closed: of a file in
/// an edition the descriptor does not tell.
pub(crate) fn enum_number(codec: &Codec, kind: &EnumDescriptor, text: &str) -> Result<Value, String> {
    let number = integer(text, i32::MIN.into(), i32::MAX.into())? as i32;
    if !codec.takes(kind, number) {
        return Err(format!("{number} is not a value of {}", kind.full_name()));
    }
    Ok(Value::EnumNumber(number))
}

/// The key of a map, which JSON and queries always write as text.
pub(crate) fn map_key(kind: &Kind, text: &str) -> Result<MapKey, String> {
    match kind {
        Kind::String => return Ok(MapKey::String(text.to_owned())),
        Kind::Bool => {
            return match text {
                "true" => Ok(MapKey::Bool(true)),
                "false" => Ok(MapKey::Bool(false)),
                _ => Err(format!("key {} is neither true nor false", quoted(text))),
            };
        }
        _ => {}
    }
    let value = number(kind, text).unwrap_or_else(|| Err("this type cannot be a key".to_owned()))?;
    value
        .into_map_key()
        .ok_or_else(|| "this type cannot be a key".to_owned())
}
