//! `meridian simulate`: which share of the clients goes where, whole and by country.

use std::process::ExitCode;

use serde_json::json;

use super::args::SimulateArguments;
use super::assume::make_snapshot;
use super::crowd::{describe, label, percent, read_clients};
use super::table::Table;
use super::{CommandError, CommandResult, FAILURE};
use crate::app::{Loaded, Settings, complain, is_styled, read_sources, say};
use crate::geo::CountryCode;
use crate::outlook::{Clients, CountryForecast, EndForecast, Forecast, Forecaster};
use crate::picture::{PoolLegend, world_map};
use crate::query::{assume_down, assume_up};
use crate::snapshot::Snapshot;
use crate::wire::{Name, RecordType};

/// Countries in a table for people; those that are left are one line.
const SHOWN_COUNTRIES: usize = 15;

/// Columns of pools in it.
const SHOWN_ENDS: usize = 6;

/// Names of one forecast that are written out.
const SHOWN_NAMES: usize = 3;

/// Characters of a bar that stands for all.
const BAR: f64 = 30.0;

pub(super) fn run(arguments: &SimulateArguments) -> CommandResult {
    let settings = Settings::resolve(arguments.typed())?;
    let question = Question::parse(&arguments.words)?;
    let clients = read_clients(arguments.weights.as_deref(), arguments.ipv6)?;
    let geo = read_sources(&settings)?;
    let mut loaded = Loaded::read(&settings.zones)?;
    loaded.compare_databases(&geo);
    let refused = loaded.refused();
    if !loaded.rejected.is_empty() {
        complain(&loaded.render(is_styled()));
        if loaded.zones.is_empty() {
            return Ok(ExitCode::from(FAILURE));
        }
    }
    let snapshot = make_snapshot(loaded.zones, &refused, &geo)?;
    question.check(&snapshot)?;
    let view = assume_up(&snapshot);
    assume_down(&snapshot, &view, &arguments.down).map_err(|error| format!("--down {error}"))?;
    let mut forecaster = Forecaster::new(&snapshot, &view, &clients);
    let forecasts = forecaster.forecast(question.rtype, |name| question.wants(name));
    if let Some(path) = &arguments.svg {
        std::fs::write(path, draw(&forecasts, &arguments.down)?)
            .map_err(|error| format!("can't write {}: {error}", path.display()))?;
    }
    if arguments.json {
        let report = json!({
            "clients": label(&clients), "down": arguments.down, "forecasts": forecasts,
        });
        say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        say(&render(&forecasts, &clients, &arguments.down));
    }
    Ok(ExitCode::SUCCESS)
}

/// The names and the type that were typed.
struct Question {
    /// All names, if none was typed.
    names: Vec<Name>,
    rtype: RecordType,
}

impl Question {
    /// Reads `[NAME…] [TYPE]`: a type in capital letters comes last.
    fn parse(words: &[String]) -> Result<Self, CommandError> {
        let is_type =
            |word: &&String| word.bytes().all(|o| o.is_ascii_uppercase() || o.is_ascii_digit());
        let rtype = words.last().filter(is_type).and_then(|word| word.parse().ok());
        let names = words.len() - usize::from(rtype.is_some());
        let names = words.iter().take(names).map(|word| {
            Name::parse(word, &Name::root())
                .map_err(|error| format!("`{word}` is no name: {error}"))
        });
        let names = names.collect::<Result<_, _>>()?;
        Ok(Self { names, rtype: rtype.unwrap_or(RecordType::A) })
    }

    fn wants(&self, name: &Name) -> bool {
        self.names.is_empty() || self.names.contains(name)
    }

    /// Every name that was typed is routed for the type.
    fn check(&self, snapshot: &Snapshot) -> Result<(), CommandError> {
        let routed: Vec<&Name> = snapshot
            .routed_names()
            .filter(|(name, route)| route.answers(self.rtype) && self.wants(name))
            .map(|(name, _)| name)
            .collect();
        match self.names.iter().find(|name| !routed.contains(name)) {
            Some(name) => {
                let rtype = self.rtype;
                Err(format!("no zone routes {name} {rtype}: there is nothing to choose").into())
            }
            None if routed.is_empty() => {
                Err(format!("no zone routes any name for {}", self.rtype).into())
            }
            None => Ok(()),
        }
    }
}

fn render(forecasts: &[Forecast], clients: &Clients, down: &[String]) -> String {
    let mut text = format!("Shares are shares of {}.\n", describe(clients));
    if !clients.is_counted() {
        text += "Address space is not traffic: --weights FILE takes counts of your own.\n";
    }
    if !down.is_empty() {
        text += &format!(
            "Down: {}. In brackets: the change from all up, in points.\n",
            down.join(", ")
        );
    }
    for forecast in forecasts {
        text += &format!("\n{}\n", headline(forecast));
        text += &ends_table(forecast, !down.is_empty());
        if forecast.depends_on_place {
            text.push('\n');
            text += &countries_table(forecast, !down.is_empty());
        }
    }
    text
}

fn headline(forecast: &Forecast) -> String {
    let shown: Vec<&str> = forecast.names.iter().take(SHOWN_NAMES).map(String::as_str).collect();
    let more = match forecast.names.len().saturating_sub(SHOWN_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more} {}: {}", shown.join(", "), forecast.rtype, forecast.target)
}

fn end_name(end: &EndForecast) -> String {
    match (end.last_resort, end.down) {
        (true, _) => format!("{} (last resort)", end.name),
        (false, true) => format!("{} (down)", end.name),
        (false, false) => end.name.clone(),
    }
}

/// A share, and how far it moved if that is asked for.
fn cell(share: f64, all_up: f64, has_change: bool) -> String {
    let points = (share - all_up) * 100.0;
    match has_change {
        true if points.abs() >= 0.05 => {
            format!("{} {:>8}", percent(share), format!("({points:+.1})"))
        }
        true => format!("{} {:8}", percent(share), ""),
        false => percent(share),
    }
}

fn ends_table(forecast: &Forecast, has_change: bool) -> String {
    let mut table = Table::default();
    for end in &forecast.ends {
        let share = cell(end.share, end.share_all_up, has_change);
        table.push(vec![end_name(end), share]);
    }
    let rendered = table.render();
    let lines = rendered.lines().map(str::trim_end).zip(&forecast.ends);
    let widest = rendered.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let bars = lines.map(|(line, end)| {
        // Never negative, and at most 30.
        let bar = "█".repeat((end.share * BAR).round() as usize);
        format!("{}\n", format!("{line:<widest$}  {bar}").trim_end())
    });
    bars.collect()
}

fn countries_table(forecast: &Forecast, has_change: bool) -> String {
    let columns = forecast.ends.len().min(SHOWN_ENDS);
    let mut table = Table::default();
    let heads = forecast.ends.iter().take(columns).map(end_name);
    let left_out = forecast.ends.len() > columns;
    let other = left_out.then(|| "others".to_owned());
    let fixed = ["country".to_owned(), "clients".to_owned()];
    table.push(fixed.into_iter().chain(heads).chain(other).collect());
    let (shown, rest) = forecast.countries.split_at(forecast.countries.len().min(SHOWN_COUNTRIES));
    for country in shown {
        table.push(country_row(
            country_name(country.country),
            country,
            columns,
            left_out,
            has_change,
        ));
    }
    if let Some(sum) = sum_of(rest) {
        let name = format!("others ({})", rest.len());
        table.push(country_row(name, &sum, columns, left_out, has_change));
    }
    table.render()
}

fn country_row(
    name: String,
    country: &CountryForecast,
    columns: usize,
    left_out: bool,
    has_change: bool,
) -> Vec<String> {
    let pairs = || country.shares.iter().zip(&country.shares_all_up);
    let cells = pairs().take(columns).map(|(share, all_up)| cell(*share, *all_up, has_change));
    let rest = |of: fn((&f64, &f64)) -> f64| pairs().skip(columns).map(of).sum::<f64>();
    let other = left_out.then(|| cell(rest(|(share, _)| *share), rest(|(_, up)| *up), has_change));
    [name, percent(country.weight)].into_iter().chain(cells).chain(other).collect()
}

fn country_name(country: Option<CountryCode>) -> String {
    country
        .map_or("-- nobody can place".to_owned(), |country| format!("{country} {}", country.name()))
}

/// Some countries as one.
fn sum_of(countries: &[CountryForecast]) -> Option<CountryForecast> {
    let weight: f64 = countries.iter().map(|country| country.weight).sum();
    let ends = countries.first()?.shares.len();
    let mean = |of: fn(&CountryForecast) -> &Vec<f64>| -> Vec<f64> {
        let share = |end: usize| {
            let shares = countries.iter().map(|one| one.weight * of(one)[end]);
            shares.sum::<f64>() / weight
        };
        (0..ends).map(share).collect()
    };
    let (shares, shares_all_up) = (mean(|one| &one.shares), mean(|one| &one.shares_all_up));
    Some(CountryForecast { country: None, weight, shares, shares_all_up })
}

/// The forecast of one route as a picture.
fn draw(forecasts: &[Forecast], down: &[String]) -> Result<String, CommandError> {
    let [forecast] = forecasts else {
        return Err("--svg draws one route: name one name beside it".into());
    };
    let pools: Vec<PoolLegend> = forecast
        .ends
        .iter()
        .map(|end| PoolLegend {
            name: if end.last_resort { end_name(end) } else { end.name.clone() },
            coordinates: end.coordinates,
            share: end.share,
            is_down: end.down,
        })
        .collect();
    let colours = forecast.countries.iter().filter_map(|country| {
        let shares = country.shares.iter().copied().enumerate().filter(|(_, share)| *share > 0.0);
        Some((country.country?, shares.collect()))
    });
    let colours: Vec<(CountryCode, Vec<(usize, f64)>)> = colours.collect();
    let title = match down {
        [] => headline(forecast),
        _ => format!("{}, without {}", headline(forecast), down.join(", ")),
    };
    Ok(world_map(&title, &colours, &pools))
}
