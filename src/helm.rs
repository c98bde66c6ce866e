//! The chart engine: charts and values in, the bytes of `helm template` out.
