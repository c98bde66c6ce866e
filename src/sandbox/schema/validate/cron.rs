//! Schedules of cron jobs.

/// The bounds of the five fields, and the names that stand for numbers.
const FIELDS: [(u32, u32, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// What is wrong with a schedule.
pub(super) fn check(schedule: &str) -> Option<String> {
    if let Some(word) = schedule.strip_prefix('@') {
        let known =
            matches!(word, "yearly" | "annually" | "monthly" | "weekly" | "daily" | "midnight" | "hourly");
        return (!known && !word.starts_with("every ")).then(|| format!("unrecognized descriptor: @{word}"));
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != 5 {
        return Some(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    }
    FIELDS
        .iter()
        .zip(fields)
        .find_map(|(bounds, field)| field.split(',').find_map(|part| check_part(part, *bounds).err()))
}

fn check_part(part: &str, (least, most, names): (u32, u32, &[&str])) -> Result<(), String> {
    let pieces: Vec<&str> = part.split('/').collect();
    let range: Vec<&str> = pieces[0].split('-').collect();
    let single = range.len() == 1;
    let (start, end) = if matches!(range[0], "*" | "?") {
        (least, most)
    } else {
        let start = number(range[0], least, names)?;
        match range.as_slice() {
            [_] => (start, start),
            [_, end] => (start, number(end, least, names)?),
            _ => return Err(format!("too many hyphens: {part}")),
        }
    };
    let end = match pieces.as_slice() {
        [_] => end,
        [_, step] => {
            if number(step, 0, &[])? == 0 {
                return Err(format!("step of range should be a positive number: {part}"));
            }
            if single { most } else { end }
        }
        _ => return Err(format!("too many slashes: {part}")),
    };
    if start < least {
        return Err(format!("beginning of range ({start}) below minimum ({least}): {part}"));
    }
    if end > most {
        return Err(format!("end of range ({end}) above maximum ({most}): {part}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {part}"));
    }
    Ok(())
}

fn number(text: &str, least: u32, names: &[&str]) -> Result<u32, String> {
    if let Some(place) = names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
        return Ok(u32::try_from(place).unwrap_or(0) + least);
    }
    match text.parse::<i64>() {
        Ok(number) => {
            u32::try_from(number).map_err(|_| format!("negative number ({number}) not allowed: {text}"))
        }
        Err(_) => {
            Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn schedules_are_told_from_others() {
        for good in ["* * * * *", "*/5 1-3 1,15 jan-mar mon", "@daily", "0 0 * * 6"] {
            assert_eq!(check(good), None, "{good}");
        }
        for (wrong, why) in [
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("@never", "unrecognized descriptor: @never"),
        ] {
            assert_eq!(check(wrong).as_deref(), Some(why));
        }
    }
}
