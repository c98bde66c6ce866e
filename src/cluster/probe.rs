//! Finds out whether a cluster still answers: one small request every five seconds. A connection may be open and dead,
//! and a watch that says nothing looks like a cluster in which nothing happens.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::guard::Silence;
use super::{ClusterEvent, Tell};
use crate::adapters::clock::Clock;
use crate::adapters::cluster::{ClusterError, ClusterRead};

/// One probe in so much time.
const PERIOD: Duration = Duration::from_secs(5);
/// A cluster that has not answered for so long is silent. With the period, that is known within eleven seconds.
const PATIENCE: Duration = Duration::from_secs(6);
/// While it is silent it is asked more often, to be back soon.
const SILENT_PERIOD: Duration = Duration::from_secs(2);

/// Probes for ever. The connection is the bare one: a guarded one would answer for a silent cluster.
pub(super) async fn probe(
    cluster: Arc<dyn ClusterRead>,
    clock: Arc<dyn Clock>,
    silence: watch::Sender<Silence>,
    tell: Tell,
) -> ControlFlow<()> {
    let mut answered = clock.now();
    loop {
        let silent = silence.borrow().is_some();
        tokio::time::sleep(if silent { SILENT_PERIOD } else { PERIOD }).await;
        let now = match tokio::time::timeout(PATIENCE, cluster.probe()).await {
            // A refusal is an answer.
            Ok(Ok(())) => None,
            Ok(Err(error)) if !matches!(error, ClusterError::Unavailable { .. }) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it takes connections and does not answer".to_owned()),
        };
        match now {
            None => {
                answered = clock.now();
                if silence.send_replace(None).is_some() {
                    tell(ClusterEvent::Silent(None));
                }
            }
            Some(why) if !silent => {
                let since = answered.strftime("%H:%M:%S UTC");
                let message: Arc<str> = format!("no answer since {since}: {why}").into();
                silence.send_replace(Some(message.clone()));
                tell(ClusterEvent::Silent(Some(message)));
            }
            Some(_) => {}
        }
    }
}
