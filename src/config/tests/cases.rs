//! The tests of a zone.

use super::*;
use crate::limits::{TEST_QUESTIONS, ZONE_TESTS};
use crate::policy::PoolId;

/// Two routed names, for tests of tests.
fn tested(test: &str) -> String {
    let pools = "[check.web]\nhttps = \"/\"\n[pool.us]\naddresses = \"192.0.2.1\"\ncheck = \"web\"\n\
                 [pool.eu]\naddresses = \"192.0.2.2\"\n[policy.world]\ntype = \"weighted\"\n\
                 weights = { us = 1, eu = 1 }";
    let names = "api = { policy = \"world\" }\nwww = { policy = \"world\" }";
    format!("{}[[test]]\n{test}\n", zone_with(pools, names))
}

#[test]
fn tests_compile_with_their_defaults_and_places() {
    let text = tested("name = \"api\"\nexpect = \"us\"");
    let test = compile(&text).0.tests.remove(0);
    assert_eq!((&*test.names, test.qtype), (&[name("api")][..], RecordType::A));
    assert_eq!(test.clients, []);
    assert_eq!(test.resolver.to_string(), "127.0.0.1");
    assert_eq!(&text[test.span.clone()], "[[test]]");
    assert_eq!(test.statements.len(), 1);
    assert_eq!(test.statements[0].expectation, Expectation::Pools(vec![PoolId(0)]));
    assert_eq!(&text[test.statements[0].span.clone()], "\"us\"");
}

#[test]
fn tests_compile_with_everything_they_can_say() {
    let text = tested(
        "name = [\"api\", \"www\"]\ntype = \"AAAA\"\nclient = [\"192.0.2.1\", \"2001:db8::/56\"]\n\
         resolver = \"::1\"\ndown = [\"us\", \"192.0.2.1\"]\nexpect = [\"us\", \"eu\"]\n\
         share = { us = \"60%\", eu = \"40%\" }\nscope = 0\n\
         answer = { CNAME = \"x\", AAAA = [\"2001:db8::1\", \"2001:db8::2\"] }\nrcode = \"NOERROR\"\nttl = \"1m\"",
    );
    let test = compile(&text).0.tests.remove(0);
    assert_eq!(test.names, [name("api"), name("www")]);
    let clients: Vec<String> = test.clients.iter().map(|(a, l)| format!("{a}/{l}")).collect();
    assert_eq!(clients, ["192.0.2.1/24", "2001:db8::/56"]);
    assert_eq!(test.down, ["us".into(), "192.0.2.1".into()]);
    let statements: Vec<_> = test.statements.into_iter().map(|s| s.expectation).collect();
    let shares = vec![(PoolId(0), Share(6_000)), (PoolId(1), Share(4_000))];
    assert_eq!(
        statements[..3],
        [
            Expectation::Pools(vec![PoolId(0), PoolId(1)]),
            Expectation::Shares(shares),
            Expectation::Scope(0),
        ]
    );
    let Expectation::Answer(records) = &statements[3] else { panic!("{statements:?}") };
    let types: Vec<RecordType> = records.iter().map(|record| record.rtype).collect();
    assert_eq!(types, [RecordType::CNAME, RecordType::AAAA, RecordType::AAAA]);
    assert_eq!(statements[5], Expectation::Ttl(ttl(60)));
}

#[test]
fn tests_that_no_answer_can_pass_are_errors() {
    for (test, message) in [
        ("name = \"api\"", "the test says nothing of the answer"),
        ("name = \"ns1\"\nexpect = \"us\"", "ns1.example.com. never leads to the pool `us`"),
        ("name = \"api\"\nscope = 0", "`scope` needs a `client`"),
        (
            "name = \"api\"\nshare = { us = \"50%\", eu = \"40%\" }",
            "the shares make 90% together, not 100%",
        ),
        (
            "name = \"api\"\nexpect = \"us\"\nrcode = \"NXDOMAIN\"",
            "a pool of addresses never gives this code",
        ),
        ("name = \"api\"\ndown = \"eu\"\nexpect = \"us\"", "`eu` cannot be down"),
        (
            "name = \"api\"\ntype = \"ANY\"\nanswer = \"x\"",
            "an answer to ANY is written with its types",
        ),
    ] {
        assert_eq!(errors(&tested(test)), [message]);
    }
}

#[test]
fn tests_and_their_questions_are_bounded() {
    let clients: Vec<String> = (0..=TEST_QUESTIONS).map(|i| format!("\"10.{i}.0.1\"")).collect();
    let clients = clients.iter().map(|c| c.replace("10.256.", "11.0.")).collect::<Vec<_>>();
    let test = |clients: &[String]| {
        tested(&format!("name = \"api\"\nscope = 0\nclient = [{}]", clients.join(", ")))
    };
    assert_eq!(compile(&test(&clients[1..])).0.tests.len(), 1);
    assert_eq!(errors(&test(&clients)), ["the test asks 257 questions, 256 is the most"]);
    let one = "name = \"api\"\nexpect = [\"us\", \"eu\"]";
    let many = |count: usize| tested(&vec![one; count].join("\n[[test]]\n"));
    assert_eq!(compile(&many(ZONE_TESTS)).0.tests.len(), ZONE_TESTS);
    assert_eq!(
        errors(&many(ZONE_TESTS + 1)),
        [format!("a zone may have {ZONE_TESTS} tests, not {}", ZONE_TESTS + 1)]
    );
}
