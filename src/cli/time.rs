//! Times as people read them.

/// A number of seconds in its two largest units: `45s`, `9m`, `1h5m`, `3d2h`.
pub(super) fn as_age(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, length)| seconds >= *length).unwrap_or(units.len() - 1);
    let (name, length) = units[first];
    let rest = units.get(first + 1).map_or(0, |(_, smaller)| seconds % length / smaller);
    match units.get(first + 1) {
        Some((smaller, _)) if rest > 0 => format!("{}{name}{rest}{smaller}", seconds / length),
        _ => format!("{}{name}", seconds / length),
    }
}

/// A time in milliseconds since 1970 as `2026-11-21 17:10:01Z` (ISO 8601, UTC).
pub(super) fn as_date(ms: u64) -> String {
    let seconds = ms / 1000;
    let (year, month, day) = date_of(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar. Years begin with March here, so that a leap day
/// is the last of its year.
fn date_of(days: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0, in eras of 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (61, "1m1s"), (3_900, "1h5m"), (266_400, "3d2h")]
        {
            assert_eq!(as_age(seconds), text);
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (951_868_800, "2000-03-01 00:00:00Z"),
            (1_795_281_001, "2026-11-21 17:10:01Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(as_date(seconds * 1000 + 999), text);
        }
    }
}
