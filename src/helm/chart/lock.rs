//! `Chart.lock` and `requirements.lock`: only whether Helm could read them.

use serde_json::Value as Json;

use super::decode::{Misfit, Spot, structs, text};
use super::metadata::lookup;
use crate::helm::functions::dates;

/// Checks the types of a lock's fields.
pub(super) fn check(json: &Json) -> Result<(), Misfit> {
    match json {
        Json::Null => return Ok(()),
        Json::Object(_) => {}
        other => return Err(Misfit::document(other, "v2.Lock", "chart.Lock")),
    }
    let top = Spot::top("Lock");
    structs(json, &top, "dependencies", "Dependency", |item, spot| {
        for field in ["alias", "condition", "name", "repository", "version"] {
            text(item, spot, field)?;
        }
        Ok(())
    })?;
    text(json, &top, "digest")?;
    match lookup(json, "generated") {
        None | Some(Json::Null) => {}
        Some(Json::String(time)) => {
            if let Err(problem) = dates::read_rfc3339(time) {
                let message = format!("error unmarshaling JSON: while decoding JSON: {problem}");
                return Err(Misfit { v4: message.clone(), v3: message });
            }
        }
        Some(other) => {
            let v3 = "error unmarshaling JSON: while decoding JSON: Time.UnmarshalJSON: input is not a JSON string";
            let v4 = top.field("generated").misfit(other, "time.Time", "time.Time").v4;
            return Err(Misfit { v4, v3: v3.to_owned() });
        }
    }
    Ok(())
}
