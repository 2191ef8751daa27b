//! The small protocol between the runner and a stage: whatever holds a server and apps on devices.

use std::time::Duration;

use jmrtc_protocol::{Failure, Profile, Relation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// For how long something is waited for: real servers, debug builds, two busy cores. No less in simulation, or a file would
/// pass there alone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the devices of a stage are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The machines alone, in a simulated world.
    Sim,
    /// `jmrtc-phone`.
    Phone,
    /// A page in a browser.
    Browser,
    /// The Android plugin.
    Android,
    /// The iOS plugin.
    Ios,
}

/// What the runner tells a stage to do. As JSON `{"do": "kill", "device": "bob"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Order {
    /// Start a server; these devices will be wanted. No app runs yet, but each device's user exists.
    Open {
        /// `alice`, `bob/tablet`: the user is before the slash.
        devices: Vec<String>,
        /// How the server is configured.
        settings: Settings,
    },
    /// Start the app on a device.
    Start {
        /// On which.
        device: String,
        /// The device whose id it signs in with: its own, or another's, as where a backup was restored on a new phone.
        id: String,
    },
    /// End the app on a device at once, as the system kills it.
    Kill {
        /// On which.
        device: String,
    },
    /// Let the app call a method; the answer comes as a [`Report`].
    Call {
        /// On which device.
        device: String,
        /// Comes back in the answer.
        call: u64,
        /// Of `window.JMRTC`.
        method: String,
        /// Its argument; absent for none. `{"$token": {"user": "bob", "ms": 3600000}}` in it is a token of Bob's that
        /// is good for an hour; where `ms` is below 0 it has expired.
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<Value>,
        /// The runner wants to know something, or has to prepare it; no step says so.
        #[serde(skip)]
        own: bool,
    },
    /// Let a device sleep: its app is not run, and what is meant for it waits. Done at once; it wakes by itself.
    Sleep {
        /// Which.
        device: String,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Change what becomes of the next wish for a device's microphone, or of the one in use.
    Microphone {
        /// Of which device.
        device: String,
        /// To what.
        state: Microphone,
    },
    /// Nothing, where the app on a device uses its microphone so; an error otherwise.
    MicrophoneIs {
        /// On which device.
        device: String,
        /// Expected.
        state: Use,
    },
    /// Change how a device reaches the server.
    Network {
        /// Which.
        device: String,
        /// To what.
        state: Network,
    },
    /// Let the operating system tell the app something.
    System {
        /// On which device.
        device: String,
        /// `answered`, `declined`, `networkChanged`.
        event: String,
    },
    /// Stop, kill, hinder or start the server.
    Server {
        /// To what.
        state: ServerState,
    },
    /// The company's backend makes a user, or gives one that is there another profile.
    Make {
        /// Whom.
        user: String,
        /// The whole of it.
        profile: Profile,
    },
    /// The company's backend deletes a user.
    Delete {
        /// Whom.
        user: String,
    },
    /// The company's backend changes what a user keeps about another.
    Relate(Related),
    /// End everything. Fails if the server still holds a call or a link.
    Close,
}

/// How the server is configured; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// How long it rings.
    pub ring_ms: u64,
    /// How long a lost member stays in its call.
    pub grace_ms: u64,
    /// How often clients give a sign of life.
    pub ping_ms: u64,
    /// Members of one call.
    pub max_members: usize,
    /// Whether the next server goes on with the calls of one that stops.
    pub keep_calls: bool,
    /// What users keep about others.
    pub relations: Vec<Related>,
}

/// What one user keeps about another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Related {
    /// Whose.
    pub of: String,
    /// About whom.
    pub to: String,
    /// What.
    pub relation: Relation,
}

/// How a device reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Network {
    /// As it should.
    Up,
    /// Connections break, and no new one is made.
    Cut,
    /// Connections stay and nothing comes through; a new one would do.
    Silent,
    /// What the device says waits until it is `up` again; what it is told comes through.
    Held,
    /// Each message takes 200 ms longer, either way.
    Slow,
}

/// What comes of the wish for a microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Microphone {
    /// It opens.
    Granted,
    /// The person does not want it.
    Refused,
    /// Whoever opens one has none; one that is in use works on.
    Broken,
    /// The one in use is gone, and there is no other. An error where none is in use, nor soon.
    Unplugged,
    /// The person is asked, and has not answered.
    Asked,
}

/// Whether an app uses the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Use {
    /// It is open, or soon will be.
    Open,
    /// It is closed, or soon will be.
    Closed,
    /// It was never open while this app ran.
    Untouched,
}

/// Whether there is a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServerState {
    /// It said goodbye.
    Stopped,
    /// It did not.
    Killed,
    /// It runs, and can keep nothing: its store takes no changes.
    ReadOnly,
    /// One is there, at the same address and with the same data.
    Running,
}

/// How far an app is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AppState {
    /// It does not run.
    Closed,
    /// It has called nothing.
    New,
    /// `login` has succeeded.
    SignedIn,
    /// So has `initEngine`.
    Ready,
}

/// What a stage tells, in the order in which the app was told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant)]
pub enum Report {
    /// The answer to [`Order::Call`].
    Answer {
        /// The device.
        device: String,
        /// Of the order.
        call: u64,
        /// What came of it.
        #[serde(flatten)]
        answer: Answer,
    },
    /// An event.
    Event {
        /// The device.
        device: String,
        /// Its name.
        event: String,
        /// What a listener gets.
        payload: Value,
    },
}

/// What came of a method.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// It succeeded.
    Result(Value),
    /// It failed.
    Error(Failure),
}

/// A server and apps on devices, real or not.
pub trait Stage {
    /// What its devices are.
    fn kinds(&self) -> Vec<Kind>;

    /// Does it, and returns when it is done; for a method call, when the app has called.
    ///
    /// # Errors
    /// Why not.
    fn carry_out(&mut self, order: &Order) -> Result<(), String>;

    /// The next thing that an app was told; none within `patience`.
    ///
    /// # Errors
    /// The stage is broken.
    fn next(&mut self, patience: Duration) -> Result<Option<Report>, String>;

    /// How long it has been there, by its own clock.
    fn elapsed(&self) -> Duration;

    /// Lets time pass.
    ///
    /// # Errors
    /// The stage is broken.
    fn pass(&mut self, time: Duration) -> Result<(), String>;
}

/// The user of a device.
pub(crate) fn user_of(device: &str) -> &str {
    device.split('/').next().unwrap_or(device)
}

/// What stands for a token in the arguments of a method, for the stage to put one there:
/// `{"$token": {"user": "alice", "ms": 3600000}}`, expired if `ms` is below 0.
pub(crate) fn token(user: &str, ms: i64) -> Value {
    json!({ "$token": { "user": user, "ms": ms } })
}
