//! The board as text for a terminal: every application with what is wanted and deployed, and how far the first
//! sync is.

use crate::model::drift::SyncStatus;
use crate::report::mark::Mark;
use crate::report::status::Board;
use crate::report::version;

/// How wide the bar is.
const BAR: usize = 30;

/// What is shown beside the board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// How many columns there are.
    pub width: usize,
    /// How many objects were healed.
    pub healed: u64,
    /// The last line: where the dashboard is, how to end.
    pub footer: String,
}

/// Whether everything is deployed and healthy.
pub fn is_green(board: &Board) -> bool {
    board.ready
        && !board.applications.is_empty()
        && board.applications.iter().all(|one| Mark::of(one).is_settled())
}

/// The text: lines of at most `width` columns; those of applications are painted by who knows the terminal.
pub fn text(board: &Board, frame: &Frame, paint: impl Fn(&str, Mark) -> String) -> String {
    let mut lines = vec![row(["ENVIRONMENT", "SERVICE", "WANTED", "DEPLOYED", "SYNC", "HEALTH"])];
    let mut drifting = 0;
    for one in &board.applications {
        drifting += one.resources.iter().filter(|resource| resource.sync == SyncStatus::OutOfSync).count();
        let line = row([
            &one.environment,
            &one.service,
            &version::wanted(one),
            &version::cell(one.deployed.as_ref()),
            one.sync.as_str(),
            one.health.as_str(),
        ]);
        lines.push(paint(&cut(&line, frame.width), Mark::of(one)));
        let holds = one.holds.iter().map(|hold| format!("  {}", hold.line()));
        lines.extend(holds.map(|hold| cut(&hold, frame.width)));
    }
    let settled = board.applications.iter().filter(|one| Mark::of(one).is_settled()).count();
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
        let frame = Frame { width: 80, footer: "bye".to_owned(), ..Frame::default() };
        let text = text(&board, &frame, |line, _| line.to_owned());
        assert!(text.contains("0 of 0 deployed") && text.ends_with("bye"), "{text}");
    }

    #[test]
    fn messages_cannot_move_the_cursor() {
        assert_eq!(cut("a\u{1b}[2Jb\n", 80), "a [2Jb ");
    }
}
