//! What the AWS command line prints, as types (the shapes of the Route 53 API of 2013-04-01). Keys that are not known are kept,
//! so that they can be noted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// `aws route53 list-resource-record-sets`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listing {
    pub(super) resource_record_sets: Vec<RecordSet>,
    /// The listing is one page of several.
    #[serde(default)]
    pub(super) is_truncated: bool,
    pub(super) next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RecordSet {
    pub(super) name: String,
    #[serde(rename = "Type")]
    pub(super) rtype: String,
    pub(super) set_identifier: Option<String>,
    pub(super) weight: Option<i64>,
    pub(super) region: Option<String>,
    pub(super) geo_location: Option<GeoLocation>,
    pub(super) geo_proximity_location: Option<GeoProximity>,
    pub(super) failover: Option<String>,
    pub(super) multi_value_answer: Option<bool>,
    pub(super) cidr_routing_config: Option<CidrRouting>,
    #[serde(rename = "TTL")]
    pub(super) ttl: Option<u32>,
    #[serde(default)]
    pub(super) resource_records: Vec<ResourceRecord>,
    pub(super) alias_target: Option<AliasTarget>,
    pub(super) health_check_id: Option<String>,
    pub(super) traffic_policy_instance_id: Option<String>,
    #[serde(flatten)]
    pub(super) others: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ResourceRecord {
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GeoLocation {
    pub(super) continent_code: Option<String>,
    pub(super) country_code: Option<String>,
    pub(super) subdivision_code: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GeoProximity {
    #[serde(rename = "AWSRegion")]
    pub(super) aws_region: Option<String>,
    pub(super) local_zone_group: Option<String>,
    pub(super) coordinates: Option<Coordinates>,
    pub(super) bias: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Coordinates {
    pub(super) latitude: String,
    pub(super) longitude: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CidrRouting {
    pub(super) collection_id: String,
    pub(super) location_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AliasTarget {
    #[serde(default)]
    pub(super) hosted_zone_id: String,
    #[serde(rename = "DNSName")]
    pub(super) dns_name: String,
    #[serde(default)]
    pub(super) evaluate_target_health: bool,
}

/// `aws route53 list-health-checks`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HealthChecks {
    pub(super) health_checks: Vec<HealthCheck>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HealthCheck {
    pub(super) id: String,
    pub(super) health_check_config: HealthCheckConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HealthCheckConfig {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    #[serde(rename = "IPAddress")]
    pub(super) ip_address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) resource_path: Option<String>,
    pub(super) fully_qualified_domain_name: Option<String>,
    pub(super) search_string: Option<String>,
    pub(super) request_interval: Option<u32>,
    pub(super) failure_threshold: Option<u8>,
    pub(super) inverted: bool,
    pub(super) disabled: bool,
    #[serde(rename = "EnableSNI")]
    pub(super) enable_sni: Option<bool>,
    pub(super) regions: Vec<String>,
    pub(super) measure_latency: bool,
    pub(super) health_threshold: Option<u16>,
    pub(super) child_health_checks: Vec<String>,
    pub(super) alarm_identifier: Option<AlarmIdentifier>,
    pub(super) insufficient_data_health_status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct AlarmIdentifier {
    pub(super) name: String,
}

/// `aws route53 list-cidr-collections` and `list-cidr-blocks`, one document each.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", untagged)]
pub(super) enum CidrDocument {
    #[serde(rename_all = "PascalCase")]
    Collections { cidr_collections: Vec<CidrCollection> },
    #[serde(rename_all = "PascalCase")]
    Blocks { cidr_blocks: Vec<CidrBlock> },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CidrCollection {
    pub(super) id: String,
    pub(super) name: String,
    /// Not in the listing; whoever puts both together may give the blocks here.
    #[serde(default)]
    pub(super) cidr_blocks: Vec<CidrBlock>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CidrBlock {
    pub(super) cidr_block: String,
    pub(super) location_name: String,
}
