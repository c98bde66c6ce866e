//! What Helm remarks about the files of a chart while it reads them, and goes on.

use crate::Compat;

/// Something that has another place since charts name `apiVersion: v2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// `requirements.lock`, which is `Chart.lock` now.
    OutdatedLock,
    /// `requirements.yaml`, whose dependencies belong into `Chart.yaml` now.
    OutdatedRequirements,
}

impl Remark {
    /// Helm's line, as it prints it on standard error.
    pub fn line(self, compat: Compat) -> &'static str {
        match (self, compat) {
            (Self::OutdatedLock, Compat::V3_19) => {
                r#"load.go:138: Warning: Dependency locking is handled in Chart.lock since apiVersion "v2". We recommend migrating to Chart.lock."#
            }
            (Self::OutdatedLock, _) => {
                r#"level=INFO msg="Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We recommend migrating to Chart.lock.""#
            }
            (Self::OutdatedRequirements, Compat::V3_19) => {
                r#"load.go:120: Warning: Dependencies are handled in Chart.yaml since apiVersion "v2". We recommend migrating dependencies to Chart.yaml."#
            }
            (Self::OutdatedRequirements, _) => {
                r#"level=INFO msg="Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml.""#
            }
        }
    }
}
