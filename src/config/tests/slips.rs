//! That nothing panics, whatever was typed.

use proptest::prelude::*;

use super::*;

/// A change that a slip of the fingers or of an editor makes.
#[derive(Clone, Debug)]
enum Slip {
    Delete(prop::sample::Index),
    Insert(prop::sample::Index, char),
    Replace(prop::sample::Index, char),
    DeleteLine(prop::sample::Index),
    RepeatLine(prop::sample::Index),
    SwapLines(prop::sample::Index, prop::sample::Index),
    Truncate(prop::sample::Index),
}

fn slip() -> impl Strategy<Value = Slip> {
    let index = any::<prop::sample::Index>;
    let typed = || {
        let likely = prop::sample::select(
            "\"'[]{}=.,#\\\n@*-_0aZ9 é\u{1b}\u{202e}".chars().collect::<Vec<_>>(),
        );
        prop_oneof![4 => likely, 1 => any::<char>()]
    };
    prop_oneof![
        index().prop_map(Slip::Delete),
        (index(), typed()).prop_map(|(at, c)| Slip::Insert(at, c)),
        (index(), typed()).prop_map(|(at, c)| Slip::Replace(at, c)),
        index().prop_map(Slip::DeleteLine),
        index().prop_map(Slip::RepeatLine),
        (index(), index()).prop_map(|(one, other)| Slip::SwapLines(one, other)),
        index().prop_map(Slip::Truncate),
    ]
}

fn apply(slip: &Slip, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.lines().collect();
    if characters.is_empty() || lines.is_empty() {
        return text.to_owned();
    }
    let (last, last_line) = (characters.len(), lines.len());
    match slip {
        Slip::Delete(at) => {
            characters.remove(at.index(last));
        }
        Slip::Insert(at, c) => characters.insert(at.index(last), *c),
        Slip::Replace(at, c) => characters[at.index(last)] = *c,
        Slip::Truncate(at) => characters.truncate(at.index(last)),
        Slip::DeleteLine(at) => {
            lines.remove(at.index(last_line));
            return lines.join("\n");
        }
        Slip::RepeatLine(at) => {
            lines.insert(at.index(last_line), lines[at.index(last_line)]);
            return lines.join("\n");
        }
        Slip::SwapLines(one, other) => {
            lines.swap(one.index(last_line), other.index(last_line));
            return lines.join("\n");
        }
    }
    characters.into_iter().collect()
}

/// Never a panic; a zone, or at least one error; and every message can be printed.
fn assert_judged(text: &str) {
    let source = source(text);
    let found = match compile_zone(&source) {
        Ok((zone, warnings)) => {
            assert!(warnings.iter().all(|warning| !warning.is_error()));
            assert!(zone.names.contains_key(&zone.apex));
            warnings
        }
        Err(rejected) => {
            assert!(rejected.diagnostics.iter().any(Diagnostic::is_error));
            rejected.diagnostics
        }
    };
    for styled in [false, true] {
        let text = render(&found, |_| Some(&source.text), styled);
        assert!(styled || text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
    let _ = read_settings(&source);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(53),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_slip_panics(slips in prop::collection::vec(slip(), 1..4)) {
        let text = slips.iter().fold(COMPLETE.to_owned(), |text, slip| apply(slip, &text));
        assert_judged(&text);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        assert_judged(&text);
        assert_judged(&format!("zone = \"a\"\n[names]\n\"@\" = {text}"));
    }
}
