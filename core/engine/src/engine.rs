use std::io;
use std::sync::Arc;
use std::thread;

use jmrtc_call::{Event, PlatformAction, PlatformEvent};
use jmrtc_protocol::{ErrorCode, Failure};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::EngineConfig;
use crate::event_loop::EventLoop;
use crate::events::{Barrier, Queue};
use crate::stats::Stats;

/// One engine: one device of one user, in at most one call. All methods may be called from any thread
/// and any executor. Dropping it ends it at once; [`Self::stop`] does so politely.
pub struct Engine {
    control: mpsc::UnboundedSender<Control>,
    events: Arc<Queue<Event>>,
    actions: Arc<Queue<PlatformAction>>,
    stats: watch::Receiver<Stats>,
    playback: watch::Receiver<u64>,
}

/// What the handle tells the task.
pub(crate) enum Control {
    Command { method: String, args: Value, reply: oneshot::Sender<Answer> },
    Platform(PlatformEvent),
    Stop { done: oneshot::Sender<()> },
}

/// A method's result; events that came after it wait until the barrier is dropped.
pub(crate) type Answer = (Result<Value, Failure>, Barrier<Event>);

/// The task's ends of what the handle pulls from. Dropping them tells the handle that the task is gone.
pub(crate) struct Outlets {
    pub(crate) events: Arc<Queue<Event>>,
    pub(crate) actions: Arc<Queue<PlatformAction>>,
    pub(crate) stats: watch::Sender<Stats>,
    /// Counts the ends of the file to play.
    pub(crate) playback: watch::Sender<u64>,
}

impl Drop for Outlets {
    fn drop(&mut self) {
        self.events.close();
        self.actions.close();
    }
}

impl Engine {
    /// Starts an engine on a thread of its own. Nothing is connected or opened before a method asks for it.
    ///
    /// # Errors
    /// The system gives no thread, or the transcript can't be written.
    pub fn start(config: EngineConfig) -> io::Result<Self> {
        let (control, control_receiver) = mpsc::unbounded_channel();
        let (stats_sender, stats) = watch::channel(Stats::default());
        let (playback_sender, playback) = watch::channel(0);
        let (events, actions) = (Queue::new(), Queue::new());
        let outlets = Outlets {
            events: events.clone(),
            actions: actions.clone(),
            stats: stats_sender,
            playback: playback_sender,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let event_loop = EventLoop::new(config, control_receiver, outlets)?;
        thread::Builder::new()
            .name("jmrtc-engine".to_owned())
            .spawn(move || runtime.block_on(event_loop.run()))?;
        Ok(Self { control, events, actions, stats, playback })
    }

    /// Calls a method of `window.JMRTC`, e.g. `startCallUsers` with `{"usernames": ["bob"]}`; null where
    /// it takes nothing. The result comes before any event that the method causes.
    ///
    /// # Errors
    /// What the failure callback gets; `INVALID_STATE` once the engine has stopped.
    pub async fn command(&self, method: &str, args: Value) -> Result<Value, Failure> {
        let stopped = || Failure::new(ErrorCode::InvalidState, "the engine has stopped");
        let (reply, answer) = oneshot::channel();
        let command = Control::Command { method: method.to_owned(), args, reply };
        self.control.send(command).map_err(|_| stopped())?;
        let (result, _barrier) = answer.await.map_err(|_| stopped())?;
        result
    }

    /// The next event, in order; `None` once the engine has stopped and all are told. For one consumer;
    /// may be dropped and called again without loss.
    pub async fn next_event(&self) -> Option<Event> {
        self.events.next().await
    }

    /// The next thing for the operating system's side to do; `None` once the engine has stopped. Only
    /// with [`crate::Platform::Bridged`].
    pub async fn next_platform_action(&self) -> Option<PlatformAction> {
        self.actions.next().await
    }

    /// Tells what the operating system told. Nothing happens once the engine has stopped.
    pub fn platform_event(&self, event: PlatformEvent) {
        let _ = self.control.send(Control::Platform(event));
    }

    /// How the call goes.
    pub fn stats(&self) -> Stats {
        self.stats.borrow().clone()
    }

    /// Counts how often the WAV backend has come to the end of the file that it plays.
    pub fn playback_ends(&self) -> watch::Receiver<u64> {
        self.playback.clone()
    }

    /// Leaves the call, signs out, closes everything. Returns when it is done, after two seconds at most.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.control.send(Control::Stop { done }).is_ok() {
            let _ = stopped.await;
        }
    }
}
