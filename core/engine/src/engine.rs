use std::io;
use std::sync::Arc;
use std::thread;

use jmrtc_call::{PlatformAction, PlatformEvent};
use jmrtc_protocol::Failure;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::EngineConfig;
use crate::event_loop::EventLoop;
use crate::events::{Message, Queue};
use crate::stats::Stats;

/// One engine: one device of one user, in at most one call. All methods may be called from any thread
/// and any executor. Dropping it ends it at once; [`Self::stop`] does so politely.
pub struct Engine {
    control: mpsc::UnboundedSender<Control>,
    messages: Arc<Queue<Message>>,
    actions: Arc<Queue<PlatformAction>>,
    stats: watch::Receiver<Stats>,
    playback: watch::Receiver<u64>,
}

/// What the handle tells the task.
pub(crate) enum Control {
    Command { id: String, method: String, args: Value },
    Platform(PlatformEvent),
    Stop { done: oneshot::Sender<()> },
}

/// The task's ends of what the handle pulls from. Dropping them tells the handle that the task is gone.
pub(crate) struct Outlets {
    pub(crate) messages: Arc<Queue<Message>>,
    pub(crate) actions: Arc<Queue<PlatformAction>>,
    pub(crate) stats: watch::Sender<Stats>,
    /// Counts the ends of the file to play.
    pub(crate) playback: watch::Sender<u64>,
}

impl Drop for Outlets {
    fn drop(&mut self) {
        self.messages.close();
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
        let (messages, actions) = (Queue::new(Message::may_be_lost), Queue::new(|_| true));
        let outlets = Outlets {
            messages: messages.clone(),
            actions: actions.clone(),
            stats: stats_sender,
            playback: playback_sender,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let event_loop = EventLoop::new(config, control_receiver, outlets)?;
        thread::Builder::new()
            .name("jmrtc-engine".to_owned())
            .spawn(move || runtime.block_on(event_loop.run()))?;
        Ok(Self { control, messages, actions, stats, playback })
    }

    /// Calls a method of `window.JMRTC`, e.g. `startCallUsers` with `{"usernames": ["bob"]}`; null where
    /// it takes nothing. The answer is a [`Message::Reply`] with the same `id`, exactly one. False once the engine has
    /// stopped: no answer will come.
    pub fn command(&self, id: String, method: String, args: Value) -> bool {
        self.control.send(Control::Command { id, method, args }).is_ok()
    }

    /// Puts in an answer of the caller's own, for what the call machine does not know. False as for [`Self::command`].
    pub fn answer(&self, id: String, result: Result<Value, Failure>) -> bool {
        self.messages.push(Message::Reply { id, result })
    }

    /// The next answer or event, in order; `None` once the engine has stopped and all are told. For one consumer;
    /// may be dropped and called again without loss.
    pub async fn next_message(&self) -> Option<Message> {
        self.messages.next().await
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
