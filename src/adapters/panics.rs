//! A panic is a fault of ours in one piece of work: it is caught where that piece begins, and told with its place in
//! the source. Everything else goes on.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use futures::FutureExt as _;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics remember their place; what was done with them before is done as well.
fn remember_places() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            LAST.with_borrow_mut(|last| *last = Some(place));
            before(panic);
        }));
    });
}

fn describe(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let place = LAST.with_borrow_mut(Option::take);
    match (place, text) {
        (Some(place), Some(text)) => format!("{place}: {text}"),
        (Some(place), None) => place,
        (None, text) => text.unwrap_or_else(|| "a place unknown".to_owned()),
    }
}

/// Carries out a piece of work; where it panics, gives the place and the words of the panic.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    remember_places();
    // What the work held is dropped with it: nobody sees it half changed.
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| describe(&*panic))
}

/// The same for work that does not await.
pub fn caught_here<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    remember_places();
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| describe(&*panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_with_its_place() {
        let place = caught(async { panic!("no {}", "way") }).await.unwrap_err();
        assert!(place.contains("panics.rs:") && place.ends_with("no way"), "{place}");
        assert_eq!(caught(async { 1 }).await, Ok(1));
        assert!(caught_here(|| panic!("here")).unwrap_err().ends_with("here"));
    }
}
