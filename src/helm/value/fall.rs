//! Taking values apart that nest deeply. A chart nests maps as deep as it has steps, and a thread's stack ends long
//! before: from some level on what falls is put aside, until the stack is free again.

use std::cell::{Cell, RefCell};

use super::{Text, Value};

/// Levels that fall within each other.
const LEVELS: usize = 100;

/// What a list or a map held.
pub(super) enum Fallen {
    Items(#[expect(dead_code, reason = "it is here to fall")] Vec<Value>),
    Entries(#[expect(dead_code, reason = "it is here to fall")] Vec<(Text, Value)>),
}

thread_local! {
    static LEVEL: Cell<usize> = const { Cell::new(0) };
    static ASIDE: RefCell<Vec<Fallen>> = const { RefCell::new(Vec::new()) };
}

/// Drops it, now or when the stack allows.
pub(super) fn fall(fallen: Fallen) {
    let level = LEVEL.get();
    if level == LEVELS {
        ASIDE.with_borrow_mut(|aside| aside.push(fallen));
        return;
    }
    LEVEL.set(level + 1);
    drop(fallen);
    while level == 0
        && let Some(fallen) = ASIDE.with_borrow_mut(Vec::pop)
    {
        drop(fallen);
    }
    LEVEL.set(level);
}

#[cfg(test)]
mod tests {
    use crate::value::{Map, Value};

    #[test]
    fn the_deepest_values_fall_on_a_small_stack() {
        let fall = || {
            let mut value = Value::Nil;
            for level in 0..1_000_000 {
                let inner = Value::list(vec![value]);
                value = if level % 2 == 0 { inner } else { Value::Map(Map::from_pairs([("a", inner)])) };
            }
            drop(value);
        };
        std::thread::Builder::new().stack_size(256 << 10).spawn(fall).unwrap().join().unwrap();
    }
}
