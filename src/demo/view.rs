//! The board as text for a terminal: every application with what is wanted and deployed, and how far the first
//! sync is.

use crate::model::drift::SyncStatus;
use crate::model::facts::Version;
use crate::model::health::HealthStatus;
use crate::report::status::{ApplicationStatus, Board};

/// How wide the bar is.
const BAR: usize = 30;

/// What is shown beside the board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// How many columns there are.
    pub width: usize,
    /// Whether colours are shown.
    pub colours: bool,
    /// How many objects were healed.
    pub healed: u64,
    /// The last line: where the dashboard is, how to end.
    pub footer: String,
}

/// Whether everything is deployed and healthy.
pub fn is_green(board: &Board) -> bool {
    board.ready && !board.applications.is_empty() && board.applications.iter().all(is_settled)
}

fn is_settled(application: &ApplicationStatus) -> bool {
    application.never_promoted
        || (application.sync == SyncStatus::Synced
            && application.health == HealthStatus::Healthy
            && application.holds.is_empty())
}

/// The text: lines of at most `width` columns.
pub fn text(board: &Board, frame: &Frame) -> String {
    let mut lines = vec![row(["ENVIRONMENT", "SERVICE", "WANTED", "DEPLOYED", "SYNC", "HEALTH"])];
    let mut drifting = 0;
    for one in &board.applications {
        drifting += one.resources.iter().filter(|resource| resource.sync == SyncStatus::OutOfSync).count();
        let line = row([
            &one.environment,
            &one.service,
            &version(one.wanted.as_ref()),
            &version(one.deployed.as_ref()),
            one.sync.as_str(),
            one.health.as_str(),
        ]);
        lines.push(paint(cut(&line, frame.width), colour(one), frame.colours));
        let holds = one.holds.iter().map(|hold| format!("  {}: {}", hold.reason, hold.message));
        lines.extend(holds.map(|hold| cut(&hold, frame.width)));
    }
    let settled = board.applications.iter().filter(|one| is_settled(one)).count();
    lines.push(cut(&progress(settled, board.applications.len(), drifting, frame.healed), frame.width));
    lines.push(cut(&frame.footer, frame.width));
    lines.join("\n")
}

fn progress(settled: usize, all: usize, drifting: usize, healed: u64) -> String {
    let filled = (settled * BAR).checked_div(all).unwrap_or(0);
    let bar = format!("{}{}", "█".repeat(filled), "░".repeat(BAR - filled));
    format!("{bar} {settled} of {all} deployed and healthy · {drifting} drifting · {healed} healed")
}

fn row(cells: [&str; 6]) -> String {
    let [environment, service, wanted, deployed, sync, health] = cells;
    format!("{environment:<12} {service:<12} {wanted:<16} {deployed:<16} {sync:<10} {health}")
}

fn version(version: Option<&Version>) -> String {
    match version {
        None => "-".to_owned(),
        Some(version) => match version.commit {
            Some(commit) => commit.short(),
            None => format!("config {}", version.config.short()),
        },
    }
}

fn colour(application: &ApplicationStatus) -> &'static str {
    match (is_settled(application), application.health) {
        (true, _) => "32",
        (false, HealthStatus::Degraded) => "31",
        (false, _) => "33",
    }
}

fn paint(text: String, code: &str, colours: bool) -> String {
    if colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
}

/// Control characters of messages would move the cursor.
fn cut(text: &str, width: usize) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(width.max(20)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_board_is_no_success() {
        let board = Board { ready: true, ..Board::default() };
        assert!(!is_green(&board));
        let text = text(&board, &Frame { width: 80, footer: "bye".to_owned(), ..Frame::default() });
        assert!(text.contains("0 of 0 deployed") && text.ends_with("bye"), "{text}");
    }

    #[test]
    fn messages_cannot_move_the_cursor() {
        assert_eq!(cut("a\u{1b}[2Jb\n", 80), "a [2Jb ");
    }
}
