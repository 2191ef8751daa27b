//! What an operating system's side hands over by other ways than UniFFI. The only `unsafe` of this crate.

/// On Linux too: there the Android plugin is tested on a desktop JVM.
#[cfg(any(target_os = "android", target_os = "linux"))]
mod jvm;
