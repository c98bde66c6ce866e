//! Chart repositories as the reconciler reads them, one desk for each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::FutureExt as _;

use super::Looks;
use super::desk::{Answer, Desk};
use crate::adapters::charts::{ChartSourceError, Charts, Versions};
use crate::model::chart::{ChartAddress, ChartArchive, ChartRepository};
use crate::model::error::{Classified as _, ErrorClass};

/// All chart repositories. Cheap to clone.
#[derive(Clone)]
pub struct ChartRepositories {
    charts: Arc<dyn Charts>,
    looks: Looks,
    desks: Arc<Mutex<HashMap<ChartRepository, Arc<ChartDesk>>>>,
}

type ChartDesk = Desk<Question, Result<Found, ChartSourceError>>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question {
    Versions(ChartAddress),
    Archive(ChartAddress, String),
}

#[derive(Clone, Debug)]
enum Found {
    Versions(Versions),
    Archive(ChartArchive),
}

impl Answer for Result<Found, ChartSourceError> {
    fn broken(place: &str) -> Self {
        Err(ChartSourceError::Store { message: format!("a fault of moorline at {place}") })
    }

    fn is_passing(&self) -> bool {
        self.as_ref().is_err_and(|error| error.class() == ErrorClass::Transient)
    }
}

impl ChartRepositories {
    /// Asks nobody yet.
    pub fn new(charts: Arc<dyn Charts>, looks: Looks) -> Self {
        Self { charts, looks, desks: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChartRepository, Arc<ChartDesk>>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an answer is on its way.
    pub fn is_waiting(&self) -> bool {
        self.lock().values().any(|desk| desk.is_waiting())
    }

    async fn ask(&self, chart: &ChartAddress, question: Question) -> Result<Found, ChartSourceError> {
        let desk = {
            let mut desks = self.lock();
            let open = || Arc::new(open(self.charts.clone(), &self.looks));
            desks.entry(chart.repository.clone()).or_insert_with(open).clone()
        };
        let answer = desk.ask(&question).await;
        answer.unwrap_or_else(|| {
            let (repository, message) = (chart.repository.clone(), "it has not answered yet".to_owned());
            Err(ChartSourceError::Unreachable { repository, message })
        })
    }
}

fn open(charts: Arc<dyn Charts>, looks: &Looks) -> ChartDesk {
    let answer = move |question: Question| {
        let charts = charts.clone();
        async move {
            match question {
                Question::Versions(chart) => charts.versions(&chart).await.map(Found::Versions),
                Question::Archive(chart, version) => {
                    charts.archive(&chart, &version).await.map(Found::Archive)
                }
            }
        }
        .boxed()
    };
    Desk::open(answer, looks)
}

#[async_trait]
impl Charts for ChartRepositories {
    async fn versions(&self, chart: &ChartAddress) -> Result<Versions, ChartSourceError> {
        match self.ask(chart, Question::Versions(chart.clone())).await? {
            Found::Versions(versions) => Ok(versions),
            Found::Archive(_) => Ok(Versions::default()),
        }
    }

    async fn archive(&self, chart: &ChartAddress, version: &str) -> Result<ChartArchive, ChartSourceError> {
        match self.ask(chart, Question::Archive(chart.clone(), version.to_owned())).await? {
            Found::Archive(archive) => Ok(archive),
            Found::Versions(_) => Err(ChartSourceError::Missing {
                repository: chart.repository.clone(),
                what: format!("{} {version}", chart.name),
            }),
        }
    }

    async fn kept(&self, chart: &ChartAddress, version: &str) -> Option<ChartArchive> {
        self.charts.kept(chart, version).await
    }
}
