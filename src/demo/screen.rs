//! A text that stays at the bottom of a terminal while lines pass above it. Without a terminal the text is left
//! out, and lines are lines.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// The screen. Cheap to clone.
#[derive(Clone)]
pub struct Screen {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    out: Box<dyn Write + Send>,
    terminal: bool,
    block: String,
    /// How many lines of the block stand on the terminal.
    drawn: usize,
}

impl Screen {
    /// A screen on an output that is a terminal or is not.
    pub fn new(out: Box<dyn Write + Send>, terminal: bool) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { out, terminal, block: String::new(), drawn: 0 })) }
    }

    /// Prints text above the block.
    pub fn print(&self, text: &str) {
        self.with(|inner| inner.print(text));
    }

    /// Shows another block.
    pub fn show(&self, block: String) {
        self.with(|inner| {
            if inner.terminal && inner.block != block {
                inner.block = block;
                inner.print("")
            } else {
                Ok(())
            }
        });
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).terminal
    }

    /// A reader that went away is no error: the demo goes on for whoever uses the cluster.
    fn with(&self, act: impl FnOnce(&mut Inner) -> io::Result<()>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = act(&mut inner);
    }
}

impl Inner {
    fn print(&mut self, text: &str) -> io::Result<()> {
        let mut whole = String::new();
        if self.drawn > 0 {
            // Up to the first line of the block, and everything below is wiped.
            whole.push_str(&format!("\u{1b}[{}A\r\u{1b}[J", self.drawn));
        }
        whole.push_str(text);
        if !text.is_empty() && !text.ends_with('\n') {
            whole.push('\n');
        }
        if self.terminal && !self.block.is_empty() {
            whole.push_str(&self.block);
            whole.push('\n');
            self.drawn = self.block.lines().count();
        }
        self.out.write_all(whole.as_bytes())?;
        self.out.flush()
    }
}

/// Log lines go above the block, each as a whole.
pub struct Line {
    screen: Screen,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.screen.print(&String::from_utf8_lossy(&self.bytes));
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { screen: self.clone(), bytes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn drawn(terminal: bool) -> String {
        let paper = Paper::default();
        let screen = Screen::new(Box::new(paper.clone()), terminal);
        screen.show("one\ntwo".to_owned());
        screen.print("a line");
        screen.show("three".to_owned());
        screen.show("three".to_owned());
        String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_pass_above_the_block() {
        let wipe = |lines| format!("\u{1b}[{lines}A\r\u{1b}[J");
        assert_eq!(drawn(true), format!("one\ntwo\n{}a line\none\ntwo\n{}three\n", wipe(2), wipe(2)));
    }

    #[test]
    fn without_a_terminal_there_are_lines_alone() {
        assert_eq!(drawn(false), "a line\n");
    }
}
