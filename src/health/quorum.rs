//! How many of several must be up: for calculated checks (Route 53 rules 71 to 73) and for the reports of several checkers
//! (rules 66 and 67).

use super::protocol::Quorum;
use super::view::Status;

/// Of how many a decision is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that are up, and those of which nothing is known yet, which count as up (rule 69).
    pub up: u32,
    /// Of these, those that say so: what nothing is known of does not report (rule 67).
    pub reported_up: u32,
    /// All that report.
    pub reported: u32,
}

impl Count {
    /// Counts statuses as everybody sees them.
    pub fn of(statuses: impl IntoIterator<Item = Status>) -> Self {
        let mut count = Self::default();
        for status in statuses {
            let is_known = u32::from(status != Status::Unknown);
            let is_up = u32::from(status != Status::Down);
            count.up = count.up.saturating_add(is_up);
            count.reported = count.reported.saturating_add(is_known);
            count.reported_up = count.reported_up.saturating_add(is_up & is_known);
        }
        count
    }
}

impl Quorum {
    /// What the counted ones decide; Unknown if it takes reports and there are none.
    pub fn decide(self, count: Count) -> Status {
        let is_up = match self {
            Self::AtLeast(least) => count.up >= u32::from(least),
            Self::MoreThan(_) if count.reported == 0 => return Status::Unknown,
            Self::MoreThan(share) => {
                let hundredfold = u64::from(count.reported_up).saturating_mul(100);
                hundredfold > u64::from(count.reported).saturating_mul(share.into())
            }
        };
        if is_up { Status::Up } else { Status::Down }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(quorum: Quorum, up: usize, down: usize, unknown: usize) -> Status {
        let some = |status, count| std::iter::repeat_n(status, count);
        let all = some(Status::Up, up)
            .chain(some(Status::Down, down))
            .chain(some(Status::Unknown, unknown));
        quorum.decide(Count::of(all))
    }

    #[test]
    fn rule_66_more_than_eighteen_in_a_hundred_reports() {
        let of = |up, all: usize| decide(Quorum::MoreThan(18), up, all - up, 0);
        assert_eq!((of(1, 5), of(1, 6)), (Status::Up, Status::Down));
        assert_eq!((of(2, 11), of(9, 50)), (Status::Up, Status::Down));
        for all in 1..20 {
            assert_eq!((of(0, all), of(all, all)), (Status::Down, Status::Up));
        }
    }

    #[test]
    fn rule_67_only_what_is_heard_counts() {
        assert_eq!(decide(Quorum::MoreThan(18), 1, 4, 100), Status::Up);
        assert_eq!(decide(Quorum::MoreThan(50), 0, 1, 2), Status::Down);
        assert_eq!(decide(Quorum::MoreThan(18), 0, 0, 3), Status::Unknown);
    }

    #[test]
    fn rule_71_at_least_so_many() {
        let least = Quorum::AtLeast;
        assert_eq!(decide(least(2), 2, 1, 0), Status::Up);
        assert_eq!(decide(least(3), 2, 1, 0), Status::Down);
        assert_eq!(decide(least(0), 0, 3, 0), Status::Up, "none is always enough");
        assert_eq!(decide(least(4), 3, 0, 0), Status::Down, "more than there are never is");
        assert_eq!(decide(least(2), 0, 0, 2), Status::Up, "rule 69: a child without data");
    }
}
