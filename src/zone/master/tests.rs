//! Master files: what each feature means, what is said about each mistake and where, and that what is written is read.

#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::write::print_master;
use super::*;
use crate::limits::{GENERATED_RECORDS, INCLUDED_FILES, UNCLOSED_ENTRIES};
use crate::zone::presentation::tests::samples::rdata_of;
use crate::zone::presentation::{parse_rdata, print_rdata};
use proptest::prelude::*;

fn origin() -> Name {
    Name::parse("example.com.", &Name::root()).unwrap()
}

/// What was found in a text that may include the others, which are named `0`, `1` and so on.
fn read_with(text: &str, others: &[&str]) -> (Vec<MasterRecord>, Vec<Problem>) {
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let include = |_: usize, name: &str| {
        let number: usize = name.parse().map_err(|_| "there is no such file".to_owned())?;
        let text = others.get(number).ok_or("there is no such file")?;
        Ok(MasterFile { text, base: (number + 1) * 1_000_000 })
    };
    read_master(MasterFile { text, base: 0 }, &origin(), &include, &mut |found| match found {
        Ok(record) => records.push(record),
        Err(problem) => problems.push(problem),
    });
    (records, problems)
}

/// The records of a text without mistakes and warnings, each as `owner TTL type data`.
fn records(text: &str) -> Vec<String> {
    records_with(text, &[])
}

fn records_with(text: &str, others: &[&str]) -> Vec<String> {
    let (records, problems) = read_with(text, others);
    assert_eq!(problems, [], "{text}");
    records.iter().map(show).collect()
}

fn show(record: &MasterRecord) -> String {
    let owner = record.owner.display_within(&origin());
    let data = print_rdata(record.rtype, &record.rdata);
    format!("{owner} {} {} {data}", record.ttl.as_seconds(), record.rtype)
}

/// The only problem of a text: its message, what stands at its place, and its help.
fn problem(text: &str) -> (String, String, String) {
    let (_, problems) = read_with(text, &[]);
    let [problem] = problems.as_slice() else { panic!("{text}: {problems:?}") };
    assert!(problem.is_error, "{problem:?}");
    let help = problem.help.clone().unwrap_or_default();
    (problem.message.clone(), text[problem.span.clone()].to_owned(), help)
}

#[test]
fn origins_and_owners() {
    let text = "$TTL 1h\n@ A 192.0.2.1\n\tA 192.0.2.2\nwww A 192.0.2.3\n$origin sub\n\
                a NS b\n$ORIGIN net.\na NS b\nroot. NS @\n";
    assert_eq!(
        records(text),
        [
            "@ 3600 A 192.0.2.1",
            "@ 3600 A 192.0.2.2",
            "www 3600 A 192.0.2.3",
            "a.sub 3600 NS b.sub.example.com.",
            "a.net. 3600 NS b.net.",
            "root. 3600 NS net.",
        ]
    );
}

#[test]
fn ttl_and_class_in_either_order() {
    let text = "a 1h30m IN A 192.0.2.1\na in 60 a 192.0.2.2\na CLASS1 2W TYPE1 192.0.2.3\n\
                a 0 A \\# 4 c0000204\na 2147483647 TYPE65280 \\# 2 ab cd\n";
    assert_eq!(
        records(text),
        [
            "a 5400 A 192.0.2.1",
            "a 60 A 192.0.2.2",
            "a 1209600 A 192.0.2.3",
            "a 0 A 192.0.2.4",
            "a 2147483647 TYPE65280 \\# 2 abcd",
        ]
    );
}

#[test]
fn parentheses_comments_and_quotes() {
    let text = "$TTL 1 ; one\n; nothing\n   ; still nothing\n\n@ SOA ns hm ( 1 ; serial (\n2h ) ( 3\n\
                4 5 )\nt TXT ( \"a;b(\" ; c\n  d\"\" )\n";
    let (_, problems) = read_with(text, &[]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let text = "$TTL 1 ; one\n; nothing\n   ; still nothing\n\n@ SOA ns hm ( 1 ; serial (\n2h ) ( 3\n\
                4 5 )\nt TXT ( \"a;b(\" ; c\n  d\\;\\\"\\065\n)\n(\nu) A 192.0.2.1\nv A(192.0.2.2);x";
    assert_eq!(
        records(text),
        [
            "@ 1 SOA ns.example.com. hm.example.com. 1 7200 3 4 5",
            "t 1 TXT \"a;b(\" \"d;\\\"A\"",
            "u 1 A 192.0.2.1",
            "v 1 A 192.0.2.2",
        ]
    );
}

#[test]
fn quoted_texts_span_lines() {
    assert_eq!(
        records("a 1 TXT \"one\ntwo\" x\r\nb 1 TXT y"),
        ["a 1 TXT \"one\\010two\" \"x\"", "b 1 TXT \"y\""]
    );
}

#[test]
fn what_editors_leave_is_no_part_of_the_text() {
    let text = "\u{feff}$TTL 1\r\n@\tA\t192.0.2.1\r\n\r\n  A 192.0.2.2 \r\nw TXT é";
    assert_eq!(records(text), ["@ 1 A 192.0.2.1", "@ 1 A 192.0.2.2", "w 1 TXT \"\\195\\169\""]);
    assert_eq!(records(""), [] as [&str; 0]);
    assert_eq!(records(" \n\t\n;x"), [] as [&str; 0]);
}

#[test]
fn escapes_in_names() {
    assert_eq!(
        records("a\\.b 1 A 192.0.2.1\n\\065 1 CNAME \\@\n\\$x 1 NS \"q\"\n\\@ 1 NS @\n* 1 NS ."),
        [
            "a\\.b 1 A 192.0.2.1",
            "A 1 CNAME \\@.example.com.",
            "\\$x 1 NS q.example.com.",
            "\\@ 1 NS example.com.",
            "* 1 NS .",
        ]
    );
}

#[test]
fn spans_point_at_what_was_typed() {
    let text = "www 60 IN A 192.0.2.1\n    MX ( 10\n mail )\n";
    let (records, _) = read_with(&format!("$TTL 1\n{text}"), &[]);
    let typed = |span: &Span| &text[span.start - 7..span.end - 7];
    let [a, mx] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(
        (typed(&a.owner_span), typed(&a.type_span), typed(&a.rdata_span)),
        ("www", "A", "192.0.2.1")
    );
    assert_eq!(
        (typed(&mx.owner_span), typed(&mx.type_span), typed(&mx.rdata_span)),
        ("www", "MX", "10\n mail")
    );
    assert_eq!(mx.ttl.as_seconds(), 1);
}

/// RFC 1035 §5.1, RFC 2308 §4, and BIND where there is neither.
#[test]
fn ttls_are_taken_over() {
    let (found, problems) = read_with(
        "@ 100 SOA a b 1 2 3 4 500\nx 7 A 192.0.2.1\ny A 192.0.2.2\nz A 192.0.2.3\n",
        &[],
    );
    assert_eq!(found.iter().map(|it| it.ttl.as_seconds()).collect::<Vec<_>>(), [100, 7, 7, 7]);
    let [warning] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(!warning.is_error);
    assert_eq!(warning.message, "the record has no TTL; the last one written is taken, 7 s");
    let (found, problems) =
        read_with("@ SOA a b 1 2 3 4 500\nx 7 A 192.0.2.1\ny A 192.0.2.2\n", &[]);
    assert_eq!(found.iter().map(|it| it.ttl.as_seconds()).collect::<Vec<_>>(), [500, 7, 500]);
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].message,
        "the record has no TTL; the minimum of the SOA is taken, 500 s"
    );
    let (message, at, help) = problem("x A 192.0.2.1\n");
    assert_eq!(
        (message.as_str(), at.as_str()),
        ("the record has no TTL, and there is no default", "A")
    );
    assert!(help.contains("$TTL 1h"));
}

#[test]
fn included_files() {
    let text =
        "$TTL 5\nx A 192.0.2.1\n$INCLUDE 0\n A 192.0.2.4\n$include \"1\" sub ; c\nw A 192.0.2.6\n";
    let others = [" A 192.0.2.2\n$ORIGIN net.\ny A 192.0.2.3", "q A 192.0.2.5\n$TTL 9"];
    assert_eq!(
        records_with(text, &others),
        [
            "x 5 A 192.0.2.1",
            "x 5 A 192.0.2.2",
            "y.net. 5 A 192.0.2.3",
            "x 5 A 192.0.2.4",
            "q.sub 5 A 192.0.2.5",
            "w 9 A 192.0.2.6",
        ]
    );
    let (_, problems) = read_with("$INCLUDE 0\n", &["\nx"]);
    assert_eq!(problems[0].span, 1_000_001..1_000_002);
    assert_eq!(included_names(text), ["0", "1"]);
    assert_eq!(
        included_names("x TXT \"\n$INCLUDE a\n\"\n$INCLUDE b/c.db x\n $INCLUDE d\n"),
        ["b/c.db"]
    );
    assert!(included_names("a A 192.0.2.1\n").is_empty());
}

#[test]
fn includes_are_bounded() {
    let (_, problems) = read_with("$INCLUDE 0\n", &["$INCLUDE 0\n"]);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "files include each other more than 16 deep");
    // Sixteen files below the first one, and one more.
    let names: Vec<String> = (1..=17).map(|number| format!("$INCLUDE {number}\n")).collect();
    let chain: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_, problems) = read_with("$INCLUDE 0\n", &chain);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "files include each other more than 16 deep");
    // Each file includes the next one three times.
    let thrice: Vec<String> =
        (1..=16).map(|number| format!("$INCLUDE {number}\n").repeat(3)).collect();
    let tree: Vec<&str> = thrice.iter().map(String::as_str).chain(["x 1 A 192.0.2.1\n"]).collect();
    let (records, problems) = read_with("$INCLUDE 0\n", &tree);
    assert!(records.len() <= INCLUDED_FILES);
    assert!(problems.iter().all(|it| it.message.contains("more than")), "{:?}", problems[0]);
    let (message, at, _) = problem("$INCLUDE nowhere\n");
    assert_eq!(
        (message.as_str(), at.as_str()),
        ("`nowhere` can't be included: there is no such file", "nowhere")
    );
}

#[test]
fn generated_records() {
    assert_eq!(
        records("$TTL 9\nx A 192.0.2.1\n$GENERATE 1-5/2 h$ A 192.0.2.${10}\n A 192.0.2.2\n"),
        [
            "x 9 A 192.0.2.1",
            "h1 9 A 192.0.2.11",
            "h3 9 A 192.0.2.13",
            "h5 9 A 192.0.2.15",
            "x 9 A 192.0.2.2"
        ]
    );
    for (line, expected) in [
        ("$GENERATE 0-0 t${-1,3,d} 1 A 192.0.2.$", "t-01 1 A 192.0.2.0"),
        (
            "$GENERATE 255-255 t${0,4,x}${0,0,X}${0,0,o} 1 IN A 192.0.2.$",
            "t00ffFF377 1 A 192.0.2.255",
        ),
        ("$GENERATE 30-30 ${0,5,n}-${0,0,N} IN 1 A 192.0.2.$", "e.1.0-E.1 1 A 192.0.2.30"),
        ("$generate 1-1 t${0,4,n} 1 A 192.0.2.$", "t1.0. 1 A 192.0.2.1"),
        ("$GENERATE 7-7 a\\$$$ 1 A 192.0.2.$", "a\\$\\$ 1 A 192.0.2.7"),
        ("$GENERATE 7-7 a$ 1 MX \"$ mx$\"", "a7 1 MX 7 mx7.example.com."),
        ("$GENERATE 7-7 a$ 1 MX $ mx$", "a7 1 MX 7 mx7.example.com."),
        ("$GENERATE 7-7 a$ 1 TXT \"\\\"foo $\\\"\"", "a7 1 TXT \"foo 7\""),
        ("$GENERATE 7-7 a$ 1 TXT \"\\\"x $ y\\\"\"", "a7 1 TXT \"x 7 y\""),
        ("$GENERATE 1-1 a$ 1 TXT \"a\\\\b $ \\$ \\065\"", "a1 1 TXT \"a\\\\b\" \"1\" \"$\" \"A\""),
        ("$GENERATE 1-1 a$ 1 TXT a\\\"b$", "a1 1 TXT \"a\\\"b1\""),
        ("$GENERATE 1-1 a$ 1 SVCB \"1 . alpn=\\\"h$\\\"\"", "a1 1 SVCB 1 . alpn=h1"),
        ("$GENERATE 7-7 a$ 1 TXT \"foo $\"", "a7 1 TXT \"foo\" \"7\""),
    ] {
        assert_eq!(records(line), [expected], "{line}");
    }
    let (records, _) = read_with("$GENERATE 1-2 a$ 1 A 192.0.2.$", &[]);
    assert_eq!((records[1].owner_span.clone(), records[1].rdata_span.clone()), (14..16, 21..30));
}

#[test]
fn generated_records_are_bounded_and_their_mistakes_told_once() {
    for (line, message, at) in [
        ("$GENERATE 1-2", "$GENERATE needs a range, an owner, a type and data", "$GENERATE"),
        ("$GENERATE 2-1 a$ 1 A 192.0.2.$", "`2-1` is no range such as 1-100 or 0-254/2", "2-1"),
        (
            "$GENERATE 1-2/0 a$ 1 A 192.0.2.$",
            "`1-2/0` is no range such as 1-100 or 0-254/2",
            "1-2/0",
        ),
        ("$GENERATE 1-2 a${ 1 A 192.0.2.$", "a `${` is not closed", "a${"),
        (
            "$GENERATE 0-5 a$ 1 A 192.0.2.${-1}",
            "A record: `192.0.2.-1` is no IPv4 address",
            "192.0.2.${-1}",
        ),
        (
            "$GENERATE 0-5 a${-1,2,x} 1 A 192.0.2.$",
            "0 plus -1 is -1, which is not written in base x",
            "a${-1,2,x}",
        ),
        ("$GENERATE 1-5 a..$ 1 A 192.0.2.$", "`a..1` is no name: a label is empty", "a..$"),
        ("$GENERATE 1-5 a$ 1 192.0.2.$", "`192.0.2.$` is no record type", "192.0.2.$"),
        ("$GENERATE 1-5 a$ 1 MX 10 a b", "MX record: `b` is one field too many", "10 a b"),
    ] {
        let (found, place, _) = problem(line);
        assert_eq!((found.as_str(), place.as_str()), (message, at), "{line}");
    }
    assert!(problem("$GENERATE 1-5 a${0,256} 1 A 192.0.2.$").0.contains("is none of"));
    let (records, problems) = read_with("$GENERATE 0-1048576 a$ 1 A 192.0.2.1\n", &[]);
    assert_eq!((records.len(), problems.len()), (0, 1));
    assert_eq!(problems[0].message, format!("more than {GENERATED_RECORDS} records are generated"));
}

#[test]
fn mistakes_are_named_and_placed() {
    for (text, message, at) in [
        ("$FOO x", "`$FOO` is no directive", "$FOO"),
        (" $TTL 1h", "`$TTL` does not begin its line", "$TTL"),
        ("$TTL", "$TTL takes one time: $TTL 1h", "$TTL"),
        ("$TTL 1h x", "$TTL takes one time: $TTL 1h", "x"),
        ("$TTL 1y", "`1y` is no time such as 3600 or 1h30m", "1y"),
        ("$ORIGIN", "$ORIGIN takes one name: $ORIGIN example.com.", "$ORIGIN"),
        ("$ORIGIN a..b", "`a..b` is no name: a label is empty", "a..b"),
        ("$INCLUDE", "$INCLUDE takes the name of a file, and an origin if need be", "$INCLUDE"),
        (" 1 A 192.0.2.1", "the first record has no owner", "1"),
        (
            "x 2147483648 A 192.0.2.1",
            "`2147483648` is above the largest TTL, 2147483647",
            "2147483648",
        ),
        (
            "x 99999999999 A 192.0.2.1",
            "`99999999999` is above the largest TTL, 2147483647",
            "99999999999",
        ),
        ("x 1h2 A 192.0.2.1", "`1h2` is no time such as 3600 or 1h30m", "1h2"),
        ("x 1 IN 2 A 192.0.2.1", "`2` is a second TTL", "2"),
        ("x IN 1 IN A 192.0.2.1", "`IN` is a second class", "IN"),
        ("x 1 CH TXT a", "the class `CH` is not served, only IN is", "CH"),
        ("x 1 CLASS3 TXT a", "the class `CLASS3` is not served, only IN is", "CLASS3"),
        ("x 1 ANY TXT a", "the class `ANY` is not served, only IN is", "ANY"),
        ("x 1 AXFR a", "AXFR is for messages only, no zone can hold it", "AXFR"),
        ("x 1 TYPE0 \\# 0", "TYPE0 is for messages only, no zone can hold it", "TYPE0"),
        ("x", "the record type is missing behind this", "x"),
        ("x 1 IN", "the record type is missing behind this", "IN"),
        ("x 1 192.0.2.1", "the record type is missing before `192.0.2.1`", "192.0.2.1"),
        ("x 1 AA 192.0.2.1", "`AA` is no record type", "AA"),
        ("x 1 A 1.2.3", "A record: `1.2.3` is no IPv4 address", "1.2.3"),
        ("x 1 A", "A record: there is no data", "A"),
        ("x 1 A 192.0.2.1 192.0.2.2", "A record: `192.0.2.2` is one field too many", "192.0.2.2"),
        ("x 1 SOA ns hm 1 2 3", "SOA record: only 5 of 7 fields are there", "ns hm 1 2 3"),
        ("x 1 MX mail", "MX record: only 1 of 2 fields are there", "mail"),
        (
            "x 1 NULL a",
            "NULL record: the data can be written by RFC 3597 §5 only: NULL \\# LENGTH HEX",
            "a",
        ),
        ("v=\"ab\" 1 TXT a", "a quote stands inside a word; write \\\" for one", "v=\"ab\""),
        ("x 1 TXT a\"b", "a quote is not closed", "\""),
        ("x 1 TXT a )", "a `)` closes nothing", ")"),
        ("x 1 TXT ( a (\n b", "a `(` is not closed", "("),
        ("x 1 TXT a \"b", "a quote is not closed", "\""),
        (
            "x 1 TXT \\25",
            "a backslash needs three digits up to 255 or one ASCII character after it",
            "\\",
        ),
        (
            "x 1 TXT \"\\256\"",
            "a backslash needs three digits up to 255 or one ASCII character after it",
            "\\",
        ),
        (
            "x 1 TXT a\\",
            "a backslash stands at the end of a line; write `\\\\` if one is meant",
            "\\",
        ),
        (
            "é 1 A 192.0.2.1",
            "`é` is no name: the character 'é' may not stand in a name; write internationalised labels as xn--…",
            "é",
        ),
    ] {
        let (found, place, _) = problem(text);
        assert_eq!((found.as_str(), place.as_str()), (message, at), "{text}");
    }
    assert!(problem(&format!("x 1 TXT {}", "a".repeat(256))).0.contains("more than 255 octets"));
}

#[test]
fn help_says_what_was_meant() {
    for (text, help) in [
        ("x 1 AA 192.0.2.1", "did you mean `A`?"),
        ("x 1 CNMAE y", "did you mean `CNAME`?"),
        ("x 1 zzzzzzzz y", "a type without a name is written TYPE123 (RFC 3597 §5)"),
        ("x 1 192.0.2.1", "write `A 192.0.2.1`"),
        ("x 1 2001:db8::1", "write `AAAA 2001:db8::1`"),
        ("x 1 \"a\"", "write `TXT \"a\"`"),
        (
            "MX 10 mail",
            "`MX` was read as the owner; begin the line with a blank, or with the owner",
        ),
        (
            "A 192.0.2.1",
            "`A` was read as the owner; begin the line with a blank, or with the owner",
        ),
        ("3600 IN", "`3600` was read as the owner; begin the line with a blank, or with the owner"),
        ("x 1 MX mail", "the fields are PREFERENCE HOST: MX 10 mail"),
        ("x 1 A a", "for example A 192.0.2.1"),
        (
            "$FOO",
            "there are $ORIGIN, $TTL, $INCLUDE and $GENERATE; the owner of a record is written `\\$` if it begins with one",
        ),
        (
            "x 1 A \"a\nb\"",
            "a quoted text goes on over the end of a line here; its closing quote may be missing",
        ),
    ] {
        assert_eq!(problem(text).2, help, "{text}");
    }
    let (records, problems) = read_with("IN 1 A 192.0.2.1\n", &[]);
    assert_eq!((records.len(), problems.len(), problems[0].is_error), (1, 1, false));
    assert_eq!(problems[0].message, "`IN` is read as the owner here");
}

#[test]
fn reading_goes_on_behind_a_mistake() {
    let text = "$TTL 1\nj TXT ) x\na A 1\nb A 192.0.2.1\nc TXT \"x\nd A 192.0.2.2\ne TXT \"y\"\n\
                f SOA ns hm (\n 1 2 3\n 4 5\ng A 192.0.2.3\nh TXT ( \"\\999\"\n x )\ni A 192.0.2.4\n\
                k A 192.0.2.5\n$ORIGIN\nl A 192.0.2.6\nm TXT \"z\n  w\nn A 192.0.2.7\n";
    let (records, problems) = read_with(text, &[]);
    let shown: Vec<String> =
        records.iter().map(|it| it.owner.display_within(&origin()).into()).collect();
    assert_eq!(shown, ["b", "d", "e", "g", "i", "k", "l", "n"]);
    let messages: Vec<&str> = problems.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "a `)` closes nothing",
            "A record: `1` is no IPv4 address",
            "a quote is not closed",
            "a `(` is not closed",
            "a backslash needs three digits up to 255 or one ASCII character after it",
            "$ORIGIN takes one name: $ORIGIN example.com.",
            "a quote is not closed",
        ]
    );
}

#[test]
fn a_backslash_at_the_end_of_a_line_swallowed_the_next_record() {
    for (text, rest) in [
        ("x TXT C:\\temp\\\n", 13..14),
        ("x TXT C:\\temp\\\r\n", 13..14),
        ("x\\\n", 1..2),
        ("x TXT ( a\\\n b )\n", 9..10),
    ] {
        let (records, problems) = read_with(&format!("{text}y 1 A 192.0.2.1\n"), &[]);
        let shown: Vec<String> = records.iter().map(show).collect();
        assert_eq!(shown, ["y 1 A 192.0.2.1"], "{text}");
        let [problem] = problems.as_slice() else { panic!("{text}: {problems:?}") };
        assert_eq!((problem.span.clone(), problem.is_error), (rest, true), "{text}");
        assert!(problem.message.starts_with("a backslash stands at the end"), "{problem:?}");
    }
    // In quotes the line feed is part of the text, as it is in BIND.
    assert_eq!(records("x 1 TXT \"a\\\nb\""), ["x 1 TXT \"a\\010b\""]);
    assert_eq!(records("x 1 TXT a\\\\\ny 1 A 192.0.2.1").len(), 2);
}

#[test]
fn texts_without_a_blank_between_them_were_refused() {
    for (data, expected, at) in [
        ("TXT \"a\"\"b\"", "TXT \"a\" \"b\"", "\"b\""),
        ("TXT \"a\"b", "TXT \"a\" \"b\"", "b"),
        ("TXT a=b\"c\"", "TXT \"a=b\" \"c\"", "\"c\""),
        ("TXT a\"b c\"d", "TXT \"a\" \"b c\" \"d\"", "\"b c\""),
        ("TXT v=\"a b\"", "TXT \"v=\" \"a b\"", "v=\"a b\""),
        ("TXT \"x=\" p=\"a=\"", "TXT \"x=\" \"p=\" \"a=\"", "p=\"a=\""),
        ("CAA 0 issue\"ca.example\"", "CAA 0 issue \"ca.example\"", "\"ca.example\""),
    ] {
        let text = format!("x 1 {data}\ny 1 A 192.0.2.1\n");
        let (records, problems) = read_with(&text, &[]);
        let shown: Vec<String> = records.iter().map(show).collect();
        assert_eq!(shown, [format!("x 1 {expected}"), "y 1 A 192.0.2.1".to_owned()]);
        let [warning] = problems.as_slice() else { panic!("{text}: {problems:?}") };
        assert!(!warning.is_error, "{warning:?}");
        assert_eq!(&text[warning.span.clone()], at, "{text}");
    }
    assert_eq!(records("x 1 SVCB 1 . alpn=\"h2\""), ["x 1 SVCB 1 . alpn=h2"]);
    assert_eq!(records("x 1 TXT (\"a\")(\"b\");c"), ["x 1 TXT \"a\" \"b\""]);
}

/// A quote that was meant as a mark of inches opens no text that goes on to the next such mark.
#[test]
fn quotes_behind_words_take_no_lines_away() {
    for word in ["5\"", "size=\"", "\"a\"\""] {
        let text = format!("x 1 TXT {word}\ny 1 A 192.0.2.1\nz 1 TXT 6\"\nw 1 A 192.0.2.2\n");
        let (records, problems) = read_with(&text, &[]);
        assert_eq!(records.iter().filter(|it| it.rtype == RecordType::A).count(), 2, "{text}");
        let errors: Vec<&str> =
            problems.iter().filter(|it| it.is_error).map(|it| it.message.as_str()).collect();
        assert_eq!(errors, ["a quote is not closed"; 2], "{text}");
    }
}

#[test]
fn parentheses_that_never_close_are_looked_for_a_bounded_number_of_times() {
    let (_, problems) = read_with(&"a (\n".repeat(1000), &[]);
    assert_eq!(problems.len(), UNCLOSED_ENTRIES);
    assert!(
        problems
            .last()
            .unwrap()
            .help
            .as_ref()
            .unwrap()
            .contains("the rest of the file is not read")
    );
    let many = format!("$TTL 1\nx TXT ( {} )\ny A 192.0.2.1\n", "a ".repeat(70_000));
    let (records, problems) = read_with(&many, &[]);
    assert_eq!((records.len(), problems.len()), (1, 1), "{problems:?}");
    assert_eq!(problems[0].message, "the entry has more than 65536 fields");
    let flat = format!("x 1 TXT {}\ny 1 A 192.0.2.1\n", "a ".repeat(70_000));
    assert_eq!(read_with(&flat, &[]).0.len(), 1);
}

#[test]
fn file_names_imply_origins() {
    for (name, expected) in [
        ("example.com.zone", Some("example.com.")),
        ("root.zone", Some(".")),
        ("2.0.192.in-addr.arpa.zone", Some("2.0.192.in-addr.arpa.")),
        ("example.com", None),
        (".zone", None),
        ("@.zone", None),
        ("..zone", None),
        ("a..b.zone", None),
    ] {
        let origin = origin_of_file_name(name).map(|origin| origin.to_string());
        assert_eq!(origin.as_deref(), expected, "{name}");
    }
}

/// A record of any type that has a syntax, or of one that has none.
fn any_record() -> impl Strategy<Value = (Name, Ttl, RecordType, Box<[u8]>)> {
    let types: Vec<RecordType> = RecordType::mnemonics()
        .map(|name| name.parse().unwrap())
        .chain([RecordType(65280)])
        .collect();
    let labels = prop::collection::vec(prop::collection::vec(any::<u8>(), 1..12), 0..5);
    let noise = prop::collection::vec(any::<u8>(), 16..200);
    (labels, any::<bool>(), 0..=Ttl::MAX.as_seconds(), prop::sample::select(types), noise).prop_map(
        |(labels, is_inside, ttl, rtype, noise)| {
            let mut owner = if is_inside { origin() } else { Name::root() };
            for label in &labels {
                owner = owner.child(label).unwrap();
            }
            let rdata = rdata_of(rtype, &noise).into_boxed_slice();
            (owner, Ttl::from_seconds(ttl).unwrap(), rtype, rdata)
        },
    )
}

/// Texts made of what means something somewhere in a master file.
fn likely_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        " ",
        " ",
        " ",
        "\n",
        "\n",
        "\n",
        "\t",
        "\r\n",
        "\"",
        "\"",
        "\\",
        "\\#",
        "\\000",
        "\\256",
        "(",
        ")",
        ";",
        "@",
        ".",
        "$ORIGIN ",
        "$TTL ",
        "$INCLUDE 0",
        "$INCLUDE 1 a",
        "$GENERATE 1-3 ",
        "$GENERATE 0-40/7 a$ A 192.0.2.$\n",
        "$",
        "${1,2,n}",
        "${-1}",
        "IN ",
        "CH ",
        "A ",
        "TXT ",
        "MX ",
        "SOA ",
        "HTTPS 1 . ",
        "alpn=\"h2\"",
        "TYPE1 ",
        "a",
        "b.c.",
        "10",
        "1h",
        "192.0.2.1",
        "::1",
        "x=",
        "é",
        "\u{feff}",
        "\u{0}",
        "a. 1 A 192.0.2.1\n",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

/// Every span must be inside of the text it is in, and at characters.
fn check_spans(text: &str, others: &[&str]) {
    let (records, problems) = read_with(text, others);
    let spans = records.iter().flat_map(|it| [&it.owner_span, &it.type_span, &it.rdata_span]);
    for span in spans.chain(problems.iter().map(|it| &it.span)) {
        let number = span.start / 1_000_000;
        let text = if number == 0 { text } else { others[number - 1] };
        let base = number * 1_000_000;
        assert!(span.start <= span.end && span.end - base <= text.len(), "{span:?} {text:?}");
    }
    for record in &records {
        let data = print_rdata(record.rtype, &record.rdata);
        assert_eq!(parse_rdata(record.rtype, &data, &Name::root()).as_ref(), Ok(&record.rdata));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(expected in prop::collection::vec(any_record(), 0..30)) {
        let parts = expected.iter().map(|(owner, ttl, rtype, data)| (owner, *ttl, *rtype, &**data));
        let text = print_master(&origin(), parts);
        let (records, problems) = read_with(&text, &[]);
        prop_assert_eq!(&problems, &[], "{}", text);
        prop_assert_eq!(records.len(), expected.len());
        for (read, (owner, ttl, rtype, rdata)) in records.iter().zip(&expected) {
            prop_assert_eq!(read.owner.as_wire(), owner.as_wire());
            prop_assert_eq!((read.ttl, read.rtype, &read.rdata), (*ttl, *rtype, rdata), "{}", text);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), other in any::<String>()) {
        check_spans(&text, &[&other]);
        included_names(&text);
        origin_of_file_name(&text);
    }

    #[test]
    fn no_likely_text_panics(text in likely_text(), one in likely_text(), two in likely_text()) {
        check_spans(&text, &[&one, &two]);
        included_names(&text);
    }
}
