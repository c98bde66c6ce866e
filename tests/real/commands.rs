//! The command line and the unhappy paths against a real API server: what people type, and what goes wrong for them.

#[path = "commands/absence.rs"]
mod absence;
#[path = "commands/compare.rs"]
mod compare;
#[path = "commands/contest.rs"]
mod contest;
#[path = "commands/hand.rs"]
mod hand;
#[path = "commands/mistakes.rs"]
mod mistakes;
#[path = "commands/order.rs"]
mod order;
#[path = "commands/remotes.rs"]
mod remotes;
#[path = "commands/rights.rs"]
mod rights;
#[allow(dead_code, reason = "shared with other tests, which use other parts of it")]
use crate::shop::{Output, Shop};

/// One pass over the environment dev.
fn once(shop: &Shop) -> Output {
    shop.run(&["run", "--once", "--environment", "dev"])
}

fn secret(value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: api}}\nstringData: {{password: \"{value}\", user: \"ann\"}}\n"
    )
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The only hold of that reason.
fn hold(status: &serde_json::Value, reason: &str) -> String {
    let holds = status["holds"].as_array().unwrap_or_else(|| panic!("no status: {status}"));
    let hold = holds.iter().find(|hold| hold["reason"] == reason);
    hold.unwrap_or_else(|| panic!("no hold {reason}: {status}"))["message"].as_str().unwrap().to_owned()
}
