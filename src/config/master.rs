//! A master file as a document: its records by owner and type, so that it goes through the same checks as a TOML file.
//!
//! What differs from TOML, because it is usual in master files: a record that stands twice is dropped with a warning (RFC 2181
//! §5), the TTLs of one RRset may differ and then the lowest counts (§5.2), and data outside of the zone is left out with a
//! warning. A signed zone is refused: this server gives no signatures, so that validating resolvers would count every
//! answer as forged while the parent vouches for the zone. Importing leaves the signatures out.

use super::diagnostic::Findings;
use super::document::{Document, Form};
use super::names::{Owner, Records};
use super::reader::Spanned;
use super::source::Source;
use crate::wire::{Name, RecordType, Ttl};
use crate::zone::master::{self, MasterFile, MasterRecord};

/// What to do with the records of a signed zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signatures {
    Refuse,
    LeaveOut,
}

/// Reads a master file. Nothing if no SOA tells which zone it is.
pub(super) fn read(
    source: &Source,
    origin: &Name,
    signatures: Signatures,
    findings: &mut Findings<'_>,
) -> Option<Document<'static>> {
    let mut records = Vec::new();
    walk(source, origin, &mut |result| match result {
        Ok(record) => records.push(record),
        Err(problem) => {
            let diagnostic = if problem.is_error {
                findings.error(problem.span, problem.message)
            } else {
                findings.warning(problem.span, problem.message)
            };
            diagnostic.help_if(problem.help);
        }
    });
    let soa = records.iter().find(|record| record.rtype == RecordType::SOA);
    let Some(soa) = soa else {
        // What could not be read may have been the SOA.
        if !findings.has_errors() {
            findings
                .error_of_file("the zone has no SOA record")
                .help("add `@ IN SOA ns1 hostmaster 1 2h 1h 14d 60` as the first record");
        }
        return None;
    };
    let apex = Spanned { value: soa.owner.clone(), span: soa.owner_span.clone() };
    if apex.value != *origin && apex.value.is_at_or_below(origin) && !origin.is_root() {
        let meant = apex.value.to_string();
        findings
            .error(
                apex.span.clone(),
                format!("the SOA is that of {meant}, below {origin}, which the file is about"),
            )
            .help("an absolute name ends with a dot; the SOA's owner is the zone, mostly @");
        return None;
    }
    let first_soa = soa.rdata.clone();
    let mut soas = 0usize;
    // A transfer ends with the SOA that it began with (RFC 5936 §2.2).
    records.retain(|record| {
        soas = soas.saturating_add(usize::from(record.rtype == RecordType::SOA));
        record.rtype != RecordType::SOA
            || soas == 1
            || record.rdata != first_soa
            || record.owner != apex.value
    });
    check_signatures(&mut records, signatures, findings);
    drop_outsiders(&mut records, &apex.value, findings);
    Some(Document {
        form: Form::Master,
        apex,
        ttl: Ttl::MAX,
        ttl_floor: Ttl::ZERO,
        groups: Vec::new(),
        collections: Vec::new(),
        checks: Vec::new(),
        pools: Vec::new(),
        policies: Vec::new(),
        residencies: Vec::new(),
        names: group(records, findings),
        names_span: None,
        cases: Vec::new(),
    })
}

/// The zone that a master file is about, as far as it can be read: the owner of its SOA, else what its name says.
pub(super) fn recover_apex(source: &Source) -> Option<Name> {
    let origin = origin_of(source);
    let mut apex = None;
    walk(source, origin.as_ref().unwrap_or(&Name::root()), &mut |result| {
        if let (None, Ok(record)) = (&apex, result)
            && record.rtype == RecordType::SOA
        {
            apex = Some(record.owner);
        }
    });
    // An owner below what the file is about is a mistake, see [`read`].
    let is_stray = |apex: &Name| origin.as_ref().is_some_and(|origin| apex.is_at_or_below(origin));
    apex.filter(|apex| !is_stray(apex)).or(origin)
}

/// The origin that the file's name gives: `example.com.zone`.
pub(super) fn origin_of(source: &Source) -> Option<Name> {
    let name = source.path.rsplit('/').next().unwrap_or_default();
    master::origin_of_file_name(name)
}

fn walk(
    source: &Source,
    origin: &Name,
    take: &mut dyn FnMut(Result<MasterRecord, master::Problem>),
) {
    let include = |base, name: &str| {
        let part = source.find_included(base, name)?;
        Ok(MasterFile { text: part.text, base: part.base })
    };
    master::read_master(MasterFile { text: &source.text, base: 0 }, origin, &include, take);
}

fn is_signature(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3 | RecordType::NSEC3PARAM
    )
}

/// Takes the signatures out, and says what that means.
fn check_signatures(
    records: &mut Vec<MasterRecord>,
    signatures: Signatures,
    findings: &mut Findings<'_>,
) {
    let before = records.len();
    let first = records.iter().find(|record| is_signature(record.rtype));
    let Some((rtype, span)) = first.map(|record| (record.rtype, record.type_span.clone())) else {
        return;
    };
    records.retain(|record| !is_signature(record.rtype));
    match signatures {
        Signatures::Refuse => findings
            .error(span, format!("the zone is signed: it holds {rtype} records"))
            .label("this server gives no signatures")
            .help("remove the DS at the parent, wait until its TTL has passed, and serve the unsigned zone")
            .help("`meridian import zonefile` leaves the signatures out"),
        Signatures::LeaveOut => findings
            .warning(span, format!("{} records of a signed zone were left out", before.saturating_sub(records.len())))
            .help("while the parent has a DS for it, validating resolvers count unsigned answers as forged"),
    };
}

/// Leaves out what does not belong to the zone.
fn drop_outsiders(records: &mut Vec<MasterRecord>, apex: &Name, findings: &mut Findings<'_>) {
    records.retain(|record| {
        let is_inside = record.owner.is_at_or_below(apex);
        if !is_inside {
            findings
                .warning(record.owner_span.clone(), format!("{} is not in this zone", record.owner))
                .label(format!("left out: the zone is {apex}"));
        }
        is_inside
    });
}

/// Puts the records of one owner together, and those of one type.
fn group(mut records: Vec<MasterRecord>, findings: &mut Findings<'_>) -> Vec<Owner<'static>> {
    // Most files of a million records have them in order, and sorting wants half as much room again.
    if !records.is_sorted_by(|one, other| one.owner <= other.owner) {
        records.sort_by(|one, other| one.owner.cmp(&other.owner));
    }
    let mut owners: Vec<Owner<'static>> = Vec::new();
    for record in records {
        let is_new = owners.last().is_none_or(|owner| owner.name.value != record.owner);
        if is_new {
            owners.push(Owner {
                name: Spanned { value: record.owner.clone(), span: record.owner_span.clone() },
                ttl: None,
                has_derived_serial: false,
                records: Vec::with_capacity(1),
                routes: Vec::new(),
                aliases: Vec::new(),
            });
        }
        if let Some(owner) = owners.last_mut() {
            add(owner, record, findings);
        }
    }
    owners
}

fn add(owner: &mut Owner<'static>, record: MasterRecord, findings: &mut Findings<'_>) {
    let rdata = Spanned { value: record.rdata, span: record.rdata_span };
    let known = owner.records.iter_mut().find(|records| records.rtype.value == record.rtype);
    let Some(known) = known else {
        let rtype = Spanned { value: record.rtype, span: record.type_span };
        owner.records.push(Records { rtype, ttl: Some(record.ttl), rdata: vec![rdata] });
        return;
    };
    if let Some(ttl) = known.ttl.filter(|ttl| *ttl != record.ttl) {
        let (owner, rtype) = (&owner.name.value, record.rtype);
        let lowest = ttl.min(record.ttl);
        findings
            .warning(
                rdata.span.clone(),
                format!("the {rtype} records of {owner} have several TTLs"),
            )
            .label(format!("{} here, {ttl} before; all get {lowest}", record.ttl))
            .related(known.rtype.span.clone(), "the first")
            .help("the records of one name and type share one TTL (RFC 2181 §5.2)");
        known.ttl = Some(lowest);
    }
    known.rdata.push(rdata);
}

#[cfg(test)]
mod tests {
    use super::super::{Compiled, compile_zone, import_master, print_toml};
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "$TTL 60\n@ SOA ns1 h 1 2h 1h 2w 60\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n";

    fn compile(path: &str, rest: &str) -> Compiled {
        compile_zone(&Source::new(path, format!("{HEAD}{rest}"), 0))
    }

    /// What is said of a zone, errors and warnings alike.
    fn messages(rest: &str) -> Vec<String> {
        let diagnostics = match compile("example.com.zone", rest) {
            Ok((_, warnings)) => warnings,
            Err(rejected) => rejected.diagnostics,
        };
        diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect()
    }

    #[test]
    fn what_is_usual_in_master_files_is_a_warning() {
        assert_eq!(messages(""), Vec::<String>::new());
        for (rest, message) in [
            ("a A 10.0.0.1\na A 10.0.0.1\n", "a.example.com. has the same A record twice"),
            (
                "a 5 A 10.0.0.1\na 6 A 10.0.0.2\n",
                "the A records of a.example.com. have several TTLs",
            ),
            ("a.example.org. A 10.0.0.1\n", "a.example.org. is not in this zone"),
        ] {
            assert_eq!(messages(rest), [message], "{rest}");
            assert!(compile("example.com.zone", rest).is_ok(), "{rest}");
        }
        let (zone, _) =
            compile("example.com.zone", "a 6 A 10.0.0.1\nA 5 A 10.0.0.2\na 7 A 10.0.0.1\n")
                .unwrap();
        let set = &zone.names[&Name::parse("a", &zone.apex).unwrap()].rrsets[0];
        assert_eq!((set.ttl.as_seconds(), set.rdata.len()), (5, 2));
    }

    #[test]
    fn what_breaks_a_zone_is_an_error() {
        for (rest, message) in [
            (
                "a CNAME b\na A 10.0.0.1\nb A 10.0.0.1\n",
                "a.example.com. has a CNAME beside other data",
            ),
            ("a SOA ns1 h 1 2 3 4 5\n", "the SOA belongs to the apex, example.com."),
            ("*.w NS ns1\n", "a wildcard cannot delegate (RFC 4592 §4.2)"),
            ("@ NSEC3PARAM \\# 5 0100000000\n", "the zone is signed: it holds NSEC3PARAM records"),
        ] {
            assert_eq!(messages(rest).first().map(String::as_str), Some(message), "{rest}");
            assert!(compile("example.com.zone", rest).is_err(), "{rest}");
        }
        let bare = compile_zone(&Source::new("example.com.zone", "@ 1 NS ns1\n", 0)).unwrap_err();
        assert_eq!(bare.diagnostics[0].message, "the zone has no SOA record");
        assert_eq!(bare.apex, Name::parse("example.com", &Name::root()).ok());
        let no_servers = Source::new("example.com.zone", "@ 1 SOA ns1 h 1 2 1 4 5\n", 0);
        assert!(
            compile_zone(&no_servers).unwrap_err().diagnostics[0].message.contains("no NS records")
        );
        assert!(compile("no..name.zone", "").is_err());
    }

    /// A reload took it for another zone, and the one that was meant was gone.
    #[test]
    fn an_soa_below_the_file_s_name_is_a_forgotten_dot() {
        let text = HEAD.replace("@ SOA", "example.com SOA");
        let rejected = compile_zone(&Source::new("example.com.zone", text, 0)).unwrap_err();
        assert!(
            rejected.diagnostics[0]
                .message
                .starts_with("the SOA is that of example.com.example.com.")
        );
        assert_eq!(rejected.apex, Name::parse("example.com", &Name::root()).ok());
    }

    #[test]
    fn a_transfer_ends_with_the_soa_that_it_began_with() {
        assert_eq!(messages("@ SOA ns1 h 1 2h 1h 2w 60\n"), Vec::<String>::new());
        let other = messages("@ SOA ns1 h 2 2h 1h 2w 60\n");
        assert_eq!(other, ["example.com. has more than one SOA record"]);
    }

    #[test]
    fn the_owner_of_the_soa_is_the_zone() {
        let text = format!("$ORIGIN 0/25.2.0.192.in-addr.arpa.\n{HEAD}1 PTR host.example.\n");
        let (zone, _) = compile_zone(&Source::new("zones/reverse.zone", text.clone(), 0)).unwrap();
        assert_eq!(zone.apex.to_string(), "0/25.2.0.192.in-addr.arpa.");
        let broken =
            compile_zone(&Source::new("zones/reverse.zone", text + "x A y\n", 0)).unwrap_err();
        assert_eq!(broken.apex, Some(zone.apex));
    }

    fn any_rdata() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{1,2}\\.0\\.0\\.[0-9]{1,2}".prop_map(|address| format!("A {address}")),
            "[ -~]{0,20}".prop_map(|text| {
                format!("TXT \"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }),
            "[a-z]{1,3}".prop_map(|host| format!("MX 5 {host}")),
            (65_280..65_283u16).prop_map(|number| format!("TYPE{number} \\# 2 beef")),
            Just("SRV 1 2 3 a\\.b\\032c".to_owned()),
            Just("CAA 0 issue \"a'b\\\"c\"".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn a_zone_printed_as_toml_means_the_same(
            records in prop::collection::vec(("[a-c'.*_]{1,4}", 0..4u32, any_rdata()), 0..12)
        ) {
            let line = |(owner, ttl, data): &(String, u32, String)| format!("{owner} {ttl} {data}\n");
            let text = format!("{HEAD}{}", records.iter().map(line).collect::<String>());
            let origin = Name::parse("example.com", &Name::root()).unwrap();
            let Ok((zone, _)) = import_master(&Source::new("x", text, 0), &origin) else {
                return Ok(());
            };
            let printed = print_toml(&zone, "here");
            let again = compile_zone(&Source::new("y.toml", printed.clone(), 0));
            let (again, _) = again.unwrap_or_else(|rejected| panic!("{:?}\n{printed}", rejected.diagnostics));
            prop_assert_eq!(again.names, zone.names);
        }
    }
}
