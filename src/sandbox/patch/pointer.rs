//! One operation of a JSON patch.

use serde_json::Value;

/// Carries out an operation; nothing if it cannot be.
pub(super) fn operate(object: &mut Value, operation: &Value) -> Option<()> {
    let text = |key: &str| operation.get(key).and_then(Value::as_str);
    let path = text("path")?;
    let value = || operation.get("value").cloned().unwrap_or(Value::Null);
    match text("op")? {
        "add" => add(object, path, value()),
        "remove" => remove(object, path).map(drop),
        "replace" => replace(object, path, value()),
        "test" => {
            let there = if path.is_empty() { object.clone() } else { get(object, path)? };
            let same = there == value();
            same.then_some(())
        }
        "move" => {
            let moved = remove(object, text("from")?)?;
            add(object, path, moved)
        }
        "copy" => {
            let copied = get(object, text("from")?)?;
            add(object, path, copied)
        }
        _ => None,
    }
}

/// The container of a path and the key in it.
fn parent<'a>(object: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((object.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn index(key: &str, length: usize) -> Option<usize> {
    let place: i64 = key.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    usize::try_from(if place < 0 { place + length } else { place }).ok()
}

/// What stands at a path; what an object lacks is null there.
fn get(object: &mut Value, path: &str) -> Option<Value> {
    match parent(object, path)? {
        (Value::Object(map), key) => Some(map.get(&key).cloned().unwrap_or(Value::Null)),
        (Value::Array(items), key) => items.get(index(&key, items.len())?).cloned(),
        _ => None,
    }
}

fn add(object: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *object = value;
        return Some(());
    }
    match parent(object, path)? {
        (Value::Object(map), key) => {
            map.insert(key, value);
        }
        (Value::Array(items), key) if key == "-" => items.push(value),
        (Value::Array(items), key) => {
            let place = index(&key, items.len() + 1).filter(|place| *place <= items.len())?;
            items.insert(place, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(object: &mut Value, path: &str) -> Option<Value> {
    match parent(object, path)? {
        (Value::Object(map), key) => map.shift_remove(&key),
        (Value::Array(items), key) => {
            let place = index(&key, items.len()).filter(|place| *place < items.len())?;
            Some(items.remove(place))
        }
        _ => None,
    }
}

fn replace(object: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *object = value;
        return Some(());
    }
    match parent(object, path)? {
        (Value::Object(map), key) => {
            map.insert(key, value);
        }
        (Value::Array(items), key) => {
            let place = index(&key, items.len())?;
            *items.get_mut(place)? = value;
        }
        _ => return None,
    }
    Some(())
}
