//! Bodies in, messages out; what is refused, and where.

use crate::fixture::{self, bound, check_bodies as check, load, load_with, rule};
use crate::schema::Schema;
use crate::settings::Options;

#[test]
fn fields() {
    check(&[
        (
            r#"{"s":"a","rS":["b"],"r_i32":[1]}"#,
            r#"{"s":"a","rS":["b"],"rI32":[1]}"#,
        ),
        (r#"{"nope":1}"#, "nope: shapes.v1.SinkMessage has no field \"nope\""),
        (r#"{"nested":{"nope":{}}}"#, "nested.nope: "),
        (r#"{"r_m":[{"nope":[]}]}"#, "r_m[0].nope: "),
        (r#"{"m_sm":{"k":{"nope":[]}}}"#, "m_sm[\"k\"].nope: "),
        (r#"{"rS":[],"r_s":[]}"#, "r_s: duplicate key \"r_s\""),
        (r#"{"Fancy":"a","json_named":"b"}"#, "duplicate key"),
        (r#"{"jsonNamed":"a"}"#, "has no field"),
        (
            r#"{"s":null,"i64":null,"k":null,"nested":null,"r_s":null,"m_ss":null,"ts":null,"w_s":null}"#,
            "{}",
        ),
        (r#"{"r_s":[null]}"#, "r_s[0]: null is no element"),
        (r#"{"r_m":[null]}"#, "null is no element"),
        (r#"{"m_ss":{"a":null}}"#, "m_ss[\"a\"]: null is no element"),
        (r#"{"s":1}"#, "s: expected a string, found a number"),
        (r#"{"s":{"a":1}}"#, "s: expected a string, found an object"),
        (r#"{"nested":"x"}"#, "expected an object, found a string"),
        (r#"{"r_s":"x"}"#, "expected an array, found a string"),
        (r#"{"m_ss":[]}"#, "expected an object, found an array"),
        (r#"{"b":"true"}"#, "expected true or false"),
        (r#"{"b":1}"#, "expected true or false"),
        (r#"{"o_s":"x","o_b":true}"#, "`o_s` and `o_b` exclude each other"),
        (r#"{"o_s":"x","o_b":null}"#, r#"{"oS":"x"}"#),
        (r#"{"o_s":""}"#, r#"{"oS":""}"#),
        (r#"{"opt_s":""}"#, r#"{"optS":""}"#),
        (r#"{"s":""}"#, "{}"),
    ]);
}

/// Members that come as before are guessed; those that do not are found all the same, and twice is twice.
#[test]
fn members_in_any_order() {
    let in_order = r#"{"rM":[{"id":"1","theme":"a"},{"id":"2","theme":"b"}]}"#;
    check(&[
        (in_order, in_order),
        (r#"{"rM":[{"theme":"a","id":"1"},{"theme":"b","id":"2"}]}"#, in_order),
        (r#"{"r_m":[{"theme":"a","id":1},{"id":2,"theme":"b"}]}"#, in_order),
        (
            r#"{"rM":[{"theme":"a","id":1},{"theme":"b"},{"id":2}]}"#,
            r#"{"rM":[{"id":"1","theme":"a"},{"theme":"b"},{"id":"2"}]}"#,
        ),
        (
            r#"{"rM":[{"theme":"a","id":1},{"theme":"b","theme":"c"}]}"#,
            "r_m[1].theme: duplicate key",
        ),
        (r#"{"rM":[{"theme":"a","id":1},{"theme":"b","ids":2}]}"#, "r_m[1].ids: "),
        (
            r#"{ "rM" : [ { "theme" : "a" , "id" : 1 } , { "theme" : "b" , "id" : 2 } ] }"#,
            in_order,
        ),
        (
            r#"{"r\u004d":[{"them\u0065":"a","\u0069d":1},{"\u0069d":2,"theme":"b"}]}"#,
            in_order,
        ),
    ]);
}

#[test]
fn scalars() {
    check(&[
        (r#"{"i64":"9007199254740993"}"#, r#"{"i64":"9007199254740993"}"#),
        (r#"{"i64":9007199254740993}"#, r#"{"i64":"9007199254740993"}"#),
        (r#"{"u64":18446744073709551615}"#, r#"{"u64":"18446744073709551615"}"#),
        (r#"{"i32":1.0}"#, r#"{"i32":1}"#),
        (r#"{"i32":1e2}"#, r#"{"i32":100}"#),
        (r#"{"i32":"7"}"#, r#"{"i32":7}"#),
        (
            r#"{"i32":-2147483648,"u32":4294967295}"#,
            r#"{"i32":-2147483648,"u32":4294967295}"#,
        ),
        (r#"{"i32":-2147483649}"#, "not between"),
        (r#"{"u32":4294967296}"#, "not between"),
        (r#"{"i64":-9223372036854775808}"#, r#"{"i64":"-9223372036854775808"}"#),
        (r#"{"i64":-9223372036854775809}"#, "not between"),
        (r#"{"i64":"999999999999999999"}"#, r#"{"i64":"999999999999999999"}"#),
        (r#"{"i64":01}"#, "expected `,` or `}`"),
        (r#"{"i64":"01"}"#, "not an integer"),
        (r#"{"i64":"1}"#, "string is not closed"),
        (r#"{"i64":1"}"#, "expected `,` or `}`"),
        (r#"{"i64":"-"}"#, "not an integer"),
        (r#"{"i64":-0}"#, "{}"),
        (r#"{"i32":1.1}"#, "not an integer"),
        (r#"{"i32":2147483648}"#, "not between"),
        (r#"{"u32":-1}"#, "not between"),
        (r#"{"i32":""}"#, "not an integer"),
        (r#"{"i32":" 1"}"#, "not an integer"),
        (r#"{"i32":true}"#, "expected a number, found a boolean"),
        (
            r#"{"f64":"NaN","f32":"-Infinity"}"#,
            r#"{"f32":"-Infinity","f64":"NaN"}"#,
        ),
        (r#"{"f64":"inf"}"#, "not a number"),
        (r#"{"f64":"1.5"}"#, r#"{"f64":1.5}"#),
        (r#"{"f32":1e39}"#, "out of range"),
        (r#"{"k":"HORROR"}"#, r#"{"k":"HORROR"}"#),
        (r#"{"k":1}"#, r#"{"k":"HORROR"}"#),
        (r#"{"k":99}"#, r#"{"k":99}"#),
        (r#"{"k":"Horror"}"#, "did you mean HORROR?"),
        (r#"{"k":"NOPE"}"#, "is not a value of shapes.v1.Kind"),
        (r#"{"k":1.5}"#, "not an integer"),
        (r#"{"by":"-_"}"#, r#"{"by":"+w=="}"#),
        (r#"{"by":"Ynl0ZXM"}"#, r#"{"by":"Ynl0ZXM="}"#),
        (r#"{"by":"a b"}"#, "not base64"),
        (r#"{"s":"\ud83d\ude00"}"#, "{\"s\":\"\u{1f600}\"}"),
        (
            r#"{"m_i32s":{"1":"a","-1":"b"},"m_bs":{"true":"c"}}"#,
            r#"{"mI32s":{"-1":"b","1":"a"},"mBs":{"true":"c"}}"#,
        ),
        (
            r#"{"m_i32s":{"1":"a","1.0":"b"}}"#,
            "duplicate key: equal to one before",
        ),
        (r#"{"m_i32s":{"x":"a"}}"#, "not an integer"),
        (r#"{"m_bs":{"True":"a"}}"#, "neither true nor false"),
    ]);
}

#[test]
fn depth() {
    let nested = |levels: usize| format!("{}{}", r#"{"nested":"#.repeat(levels) + "{}", "}".repeat(levels));
    let schema = load(vec![rule("Shapes.Sink", "POST /sink", "*")]).unwrap();
    let bind = |body: &str| {
        let matched = schema.find("POST", "/sink").unwrap();
        matched
            .bind(None, body.as_bytes(), &Default::default())
            .map_err(|error| error.to_string())
    };
    assert!(bind(&nested(99)).is_ok());
    assert!(
        bind(&nested(100))
            .unwrap_err()
            .contains("nested deeper than 100 levels")
    );
    let wide: Vec<_> = (0..4_000).map(|number| format!("\"k{number:05}\":1")).collect();
    let wide = format!(r#"{{"st":{{{}}}}}"#, wide.join(","));
    assert_eq!(bound(&schema, "POST", "/sink", &wide), Ok(wide));
    let deep = format!("{{\"st\":{}{}}}", r#"{"a":"#.repeat(32) + "{}", "}".repeat(32));
    assert_eq!(bound(&schema, "POST", "/sink", &deep), Ok(deep));
}

#[test]
fn unknown_names_are_dropped_by_setting() {
    let rules = vec![rule("Shapes.Sink", "POST /sink", "*")];
    let lax = load_with(Options {
        rules,
        json_unknown_ignored: true,
        ..Options::default()
    })
    .unwrap();
    for (body, expected) in [
        (
            r#"{"a":1,"zz":{"c":[]},"nested":{"d":"x"},"k":"NOPE","s":"y"}"#,
            Ok(r#"{"s":"y","nested":{}}"#),
        ),
        (r#"{"a":1,"a":2}"#, Err("duplicate key")),
    ] {
        match (bound(&lax, "POST", "/sink", body), expected) {
            (Ok(message), Ok(expected)) => assert_eq!(message, expected),
            (Err(refusal), Err(expected)) => assert!(refusal.contains(expected), "{refusal}"),
            (found, _) => panic!("{found:?}"),
        }
    }
}

#[test]
fn proto2() {
    let source = r#"
        syntax = "proto2"; package two; import "google/api/annotations.proto";
        service S { rpc Go(M) returns (M) { option (google.api.http) = {post: "/go" body: "*"}; } }
        enum E { A = 1; B = 2; }
        message M {
          required string a = 1; required int32 b = 2; optional E e = 3; optional group G = 4 { optional int32 x = 1; }
          extensions 100 to 200;
        }
        extend M { optional string extra = 100; }
    "#;
    let schema = Schema::builder().descriptors(&fixture::source(source)).build().unwrap();
    for (body, expected) in [
        (r#"{"a":"","b":0}"#, r#"{"a":"","b":0}"#),
        (r#"{"e":"A"}"#, "required fields are missing: a, b"),
        (
            r#"{"a":"x","b":1,"e":2,"g":{"x":1},"[two.extra]":"y"}"#,
            r#"{"a":"x","b":1,"e":"B","g":{"x":1},"[two.extra]":"y"}"#,
        ),
        (r#"{"a":"x","b":1,"e":3}"#, "3 is not a value of two.E"),
    ] {
        match bound(&schema, "POST", "/go", body) {
            Ok(message) => assert_eq!(message, expected, "{body}"),
            Err(refusal) => assert!(refusal.contains(expected), "{body}: {refusal}"),
        }
    }
}

#[test]
fn well_known_types() {
    check(&[
        (
            r#"{"ts":"1972-01-01T10:00:20.021+02:00"}"#,
            r#"{"ts":"1972-01-01T08:00:20.021Z"}"#,
        ),
        (r#"{"ts":"9999-12-31T23:59:60Z"}"#, "ts: no such date or time"),
        (r#"{"ts":5}"#, "expected a string, found a number"),
        (r#"{"dur":"-0.5s"}"#, r#"{"dur":"-0.500s"}"#),
        (r#"{"dur":"1"}"#, "not a duration"),
        (r#"{"fm":"fooBar,bazQux"}"#, r#"{"fm":"fooBar,bazQux"}"#),
        (
            r#"{"fm":"foo_bar,bazQux"}"#,
            "fm: \"foo_bar\" is not a field path in lowerCamelCase",
        ),
        (
            r#"{"w_i64":"5","w_b":false,"w_by":""}"#,
            r#"{"wI64":"5","wB":false,"wBy":""}"#,
        ),
        (r#"{"w_i64":{"value":5}}"#, "expected a number, found an object"),
        (
            r#"{"st":{"payload":"Hello","n":{"x":[null,1.5]}}}"#,
            r#"{"st":{"n":{"x":[null,1.5]},"payload":"Hello"}}"#,
        ),
        (r#"{"st":{"a":1,"a":2}}"#, "duplicate key"),
        (r#"{"va":null}"#, r#"{"va":null}"#),
        (r#"{"va":[1,"a",{"x":null}]}"#, r#"{"va":[1,"a",{"x":null}]}"#),
        (r#"{"lv":["1",2]}"#, r#"{"lv":["1",2]}"#),
        (r#"{"lv":{}}"#, "expected an array"),
        (r#"{"r_va":[null,1]}"#, r#"{"rVa":[null,1]}"#),
        (r#"{"null":null}"#, "{}"),
        (r#"{"emp":{}}"#, r#"{"emp":{}}"#),
        (r#"{"emp":{"a":1}}"#, "google.protobuf.Empty has no field"),
    ]);
}

#[test]
fn any() {
    let url = |name: &str| format!("type.googleapis.com/{name}");
    let duration = format!(
        r#"{{"any":{{"@type":"{}","value":"1.212s"}}}}"#,
        url("google.protobuf.Duration")
    );
    let shelf = format!(
        r#"{{"any":{{"id":"7","theme":"x","@type":"{}"}}}}"#,
        url("shapes.v1.Shelf")
    );
    let written = format!(
        r#"{{"any":{{"@type":"{}","id":"7","theme":"x"}}}}"#,
        url("shapes.v1.Shelf")
    );
    check(&[
        (&duration, &duration),
        (&shelf, &written),
        (r#"{"any":{}}"#, r#"{"any":{}}"#),
        (r#"{"any":{"id":1}}"#, "an Any needs `@type`"),
        (r#"{"any":{"@type":1}}"#, "expected a string"),
        (
            r#"{"any":{"@type":"type.googleapis.com/nobody.Knows"}}"#,
            "unknown type",
        ),
        (r#"{"any":{"@type":"shapes.v1.Shelf"}}"#, "unknown type"),
        (&shelf.replace("theme", "tehme"), "any.tehme: "),
        (&duration.replace("value", "valeu"), "has `@type` and `value`"),
    ]);
}
