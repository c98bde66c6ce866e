//! Switches that may be told to be off, as Helm's: `--include-crds=false`. Scripts that call `helm template` write so.

use clap::builder::TypedValueParser as _;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// Arguments whose switches take a value behind `=`.
#[derive(Debug)]
pub(super) struct Switches<T>(pub(super) T);

/// Go's `strconv.ParseBool`.
fn truth(text: String) -> Result<bool, &'static str> {
    match text.as_str() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("known are true and false"),
    }
}

fn take_value(argument: Arg) -> Arg {
    if !matches!(argument.get_action(), ArgAction::SetTrue) {
        return argument;
    }
    argument
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_value("false")
        .default_missing_value("true")
        .hide_default_value(true)
        .value_name("BOOL")
        .value_parser(clap::builder::StringValueParser::new().try_map(truth))
}

impl<T: Args> Args for Switches<T> {
    fn augment_args(command: Command) -> Command {
        T::augment_args(command).mut_args(take_value)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command).mut_args(take_value)
    }
}

impl<T: FromArgMatches> FromArgMatches for Switches<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Switches;

    #[derive(clap::Args)]
    struct Inner {
        #[arg(long)]
        hooks: bool,
        name: Option<String>,
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        inner: Switches<Inner>,
    }

    #[test]
    fn switches_are_on_off_or_neither() {
        let read = |words: &[&str]| {
            let line = Line::try_parse_from(["x"].iter().chain(words));
            line.ok().map(|line| (line.inner.0.hooks, line.inner.0.name))
        };
        assert_eq!(read(&[]), Some((false, None)));
        assert_eq!(read(&["--hooks"]), Some((true, None)));
        assert_eq!(read(&["--hooks", "false"]), Some((true, Some("false".to_owned()))));
        assert_eq!(read(&["--hooks=F"]), Some((false, None)));
        assert_eq!(read(&["--hooks=1", "a"]), Some((true, Some("a".to_owned()))));
        assert_eq!(read(&["--hooks=maybe"]), None);
    }
}
