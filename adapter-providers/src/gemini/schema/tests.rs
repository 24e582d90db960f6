//! What becomes of schemas in either dialect.

use super::*;

fn json(text: &str) -> Json {
    Json::new(text).unwrap()
}

fn lost(schemas: &Schemas) -> Vec<&'static str> {
    schemas.lost().collect()
}

#[test]
fn json_schema_keeps_what_gemini_takes_in_its_order() {
    let recursive = r##"{"$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"}"##;
    for (name, schema, expected, missed) in [
        (
            "what is taken",
            r#"{"type":"object","title":"T","properties":{"b":{"type":["integer","null"],"minimum":12345678901234567890},"a":{"enum":["x",1]}},"required":["b"],"additionalProperties":false}"#,
            r#"{"type":"object","title":"T","properties":{"b":{"type":["integer","null"],"minimum":12345678901234567890},"a":{"enum":["x",1]}},"required":["b"],"additionalProperties":false}"#,
            vec![],
        ),
        (
            "what is not",
            r#"{"$schema":"s","type":"string","pattern":"^a","minLength":1,"default":"b","examples":["c"],"not":{}}"#,
            r#"{"type":"string"}"#,
            vec!["minLength", "not", "pattern"],
        ),
        ("a constant", r#"{"const":1.50}"#, r#"{"enum":[1.50]}"#, vec![]),
        (
            "definitions of an earlier draft",
            r##"{"definitions":{"a":{"type":"string","pattern":"x"}},"properties":{"p":{"$ref":"#/definitions/a","description":"d"}}}"##,
            r##"{"properties":{"p":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"string"}}}"##,
            vec!["pattern"],
        ),
        (
            "keywords as names of properties",
            r#"{"properties":{"definitions":{"type":"string"},"pattern":true}}"#,
            r#"{"properties":{"definitions":{"type":"string"},"pattern":{}}}"#,
            vec![],
        ),
        (
            "one reference in allOf",
            r##"{"allOf":[{"$ref":"#/$defs/a"}],"description":"d","$defs":{"a":{"type":"string"}}}"##,
            r##"{"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}}"##,
            vec![],
        ),
        (
            "several in allOf",
            r##"{"allOf":[{"$ref":"#/$defs/a"},{"properties":{"y":{"type":"number"}},"required":["y","x"]}],"$defs":{"a":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}}}"##,
            r#"{"type":"object","properties":{"x":{"type":"string"},"y":{"type":"number"}},"required":["x","y"],"$defs":{"a":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}}}"#,
            vec![],
        ),
        (
            "two that differ in allOf",
            r#"{"allOf":[{"type":"string"},{"type":"number"}]}"#,
            r#"{"type":"string"}"#,
            vec!["allOf"],
        ),
        (
            "a tuple",
            r#"{"type":"array","items":[{"type":"string","pattern":"x"}]}"#,
            r#"{"type":"array","prefixItems":[{"type":"string"}]}"#,
            vec!["pattern"],
        ),
        ("no properties", r#"{"type":"object","properties":{}}"#, r#"{"type":"object"}"#, vec![]),
        (
            "a circle",
            recursive,
            r##"{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"}}}}}"##,
            vec![],
        ),
        (
            "choices",
            r#"{"oneOf":[{"const":"a"},{"type":"null"}]}"#,
            r#"{"oneOf":[{"enum":["a"]},{"type":"null"}]}"#,
            vec![],
        ),
    ] {
        let mut schemas = Schemas::default();
        let written = schemas.json(&json(schema)).unwrap();
        assert_eq!(Json::of(&written).get(), expected, "{name}");
        assert_eq!(lost(&schemas), missed, "{name}");
    }
    assert_eq!(Schemas::default().json(&json("true")), None);
}

#[test]
fn the_older_dialect_has_no_references_and_no_null() {
    for (name, schema, expected, missed) in [
        (
            "types and order",
            r#"{"type":"object","properties":{"b":{"type":"integer","format":"int32"},"a":{"type":"string","format":"uuid"}},"additionalProperties":false,"required":["b"]}"#,
            r#"{"type":"OBJECT","properties":{"b":{"type":"INTEGER","format":"int32"},"a":{"type":"STRING"}},"required":["b"]}"#,
            vec![],
        ),
        (
            "a type or null",
            r#"{"type":["string","null"],"minLength":1}"#,
            r#"{"type":"STRING","minLength":1,"nullable":true}"#,
            vec![],
        ),
        (
            "several types",
            r#"{"type":["string","array"],"description":"d"}"#,
            r#"{"anyOf":[{"type":"STRING"},{"type":"ARRAY","items":{"type":"STRING"}}],"description":"d"}"#,
            vec![],
        ),
        (
            "a choice or null",
            r##"{"anyOf":[{"$ref":"#/$defs/a"},{"type":"null"}],"description":"d","$defs":{"a":{"type":"string","enum":["x"]}}}"##,
            r#"{"type":"STRING","description":"d","enum":["x"],"nullable":true}"#,
            vec![],
        ),
        (
            "choices",
            r#"{"oneOf":[{"type":"string"},{"type":"number"},{"type":"null"}]}"#,
            r#"{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}],"nullable":true}"#,
            vec![],
        ),
        (
            "references",
            r##"{"type":"object","properties":{"a":{"$ref":"#/definitions/a"},"b":{"$ref":"#/properties/a","description":"d"}},"definitions":{"a":{"type":"boolean"}}}"##,
            r#"{"type":"OBJECT","properties":{"a":{"type":"BOOLEAN"},"b":{"type":"BOOLEAN","description":"d"}}}"#,
            vec![],
        ),
        ("arrays", r#"{"type":"array"}"#, r#"{"type":"ARRAY","items":{"type":"STRING"}}"#, vec![]),
        (
            "a constant",
            r#"{"const":"a","type":"string"}"#,
            r#"{"type":"STRING","enum":["a"]}"#,
            vec![],
        ),
        (
            "numbers in enum",
            r#"{"type":"integer","enum":[1,2]}"#,
            r#"{"type":"INTEGER"}"#,
            vec!["enum"],
        ),
        (
            "all of several",
            r#"{"allOf":[{"type":"object","properties":{"x":{"type":"string"}}},{"properties":{"y":{}}}],"propertyNames":{}}"#,
            r#"{"type":"OBJECT","properties":{"x":{"type":"STRING"},"y":{"type":"STRING"}}}"#,
            vec!["propertyNames"],
        ),
        ("a dead reference", r##"{"$ref":"#/$defs/none"}"##, r#"{"type":"OBJECT"}"#, vec!["$ref"]),
        ("a reference to itself", r##"{"$ref":"#"}"##, r#"{"type":"OBJECT"}"#, vec!["$ref"]),
    ] {
        let mut schemas = Schemas::default();
        let written = schemas.classic(&json(schema)).unwrap();
        assert_eq!(Json::of(&written).get(), expected, "{name}");
        assert_eq!(lost(&schemas), missed, "{name}");
    }
}

#[test]
fn references_that_multiply_or_go_round_come_to_an_end() {
    let mut definitions = String::from(r#""d0":{"type":"string"}"#);
    for n in 1..60 {
        let one = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, n - 1);
        definitions.extend([r#","d"#, &n.to_string(), r#"":{"type":"object","properties":{"a":"#]);
        definitions.extend([one.as_str(), r#","b":"#, one.as_str(), "}}"]);
    }
    let doubling = format!(r##"{{"$ref":"#/$defs/d59","$defs":{{{definitions}}}}}"##);
    let circle = r##"{"type":"object","properties":{"next":{"$ref":"#"},"other":{"allOf":[{"$ref":"#"},{"title":"t"}]}}}"##;
    let round = r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"allOf":[{"$ref":"#/$defs/a"},{}]}"##;
    let nested = |open: &str, close: &str, times| open.repeat(times) + "{}" + &close.repeat(times);
    let deep = nested(r#"{"properties":{"a":"#, "}}", 60);
    let all = nested(r#"{"allOf":["#, "]}", 60);
    let parts = r#"{"properties":{"b":{}}},"#.repeat(2000);
    let properties: Vec<String> =
        (0..2000).map(|n| format!(r#""p{n}":{{"type":"string"}}"#)).collect();
    let properties = properties.join(",");
    let many = format!(r#"{{"allOf":[{parts}{{}}],"properties":{{{properties}}}}}"#);
    let nowhere = r##"{"$ref":"#/properties/p1/nowhere"},"##.repeat(2000);
    let nowhere = format!(r#"{{"anyOf":[{nowhere}{{}}],"properties":{{{properties}}}}}"#);
    for schema in [&doubling, circle, round, &deep, &all, &many, &nowhere] {
        let mut schemas = Schemas::default();
        for written in [schemas.json(&json(schema)), schemas.classic(&json(schema))] {
            let length = Json::of(&written.unwrap()).get().len();
            assert!(length < 16 * ROOM, "{length}");
        }
    }
}
