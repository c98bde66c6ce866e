//! Health in the field's words.

/// How well an object or an application does. The order is from best to worst for a roll-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum HealthStatus {
    /// It does what it should.
    Healthy,
    /// It is paused on purpose.
    Suspended,
    /// It is on its way and may still arrive.
    Progressing,
    /// It is not there.
    Missing,
    /// It has failed, or lost its health.
    Degraded,
    /// Nobody can tell.
    Unknown,
}

impl HealthStatus {
    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }
}

/// The health of one object with the reason in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    /// The status.
    pub status: HealthStatus,
    /// Why, empty where there is nothing to say.
    pub message: String,
    /// Whether waiting cannot help any more (a progress deadline exceeded, a job failed for good).
    #[serde(skip)]
    pub is_final: bool,
}

impl Health {
    /// Healthy, nothing to say.
    pub fn healthy() -> Self {
        Self::new(HealthStatus::Healthy, "")
    }

    /// On its way.
    pub fn progressing(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Progressing, message)
    }

    /// Failed, or no longer well; it may recover.
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Degraded, message)
    }

    /// Failed for good: the object itself says that it stopped trying.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { is_final: true, ..Self::new(HealthStatus::Degraded, message) }
    }

    /// Any status with a message.
    pub fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), is_final: false }
    }
}
