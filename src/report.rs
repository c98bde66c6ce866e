//! What people and programs are shown, said once for the command line, the dashboard, the demo and the API: values
//! that serialize, and the words for them. Pure, and of no medium: it knows neither HTML nor terminals; those who show
//! a value lay it out and paint it.
//!
//! - [`status`] is an application at a moment, and the board of all of them; [`view`] puts it together;
//! - [`plan`] is what is to be done for an application, [`step`] by step;
//! - [`hold`] is what is not done, and why;
//! - [`version`] is what is wanted and deployed, in few letters;
//! - [`mark`] sums an application up in one sign, [`oddities`] in few words;
//! - [`object`] is the identity of an object, [`words`] are numbers, times and revisions.

pub mod hold;
pub mod mark;
pub mod object;
pub mod oddities;
pub mod plan;
pub mod status;
pub mod step;
pub mod version;
pub mod view;
pub mod words;

#[cfg(test)]
mod tests;
