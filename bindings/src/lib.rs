//! The native engine as Kotlin and Swift see it.
//!
//! ```text
//! JS ─ exec ─► bridge ─► Engine.command(id, method, args)      Engine.nextMessage() ─► bridge ─► JS
//!                                                              Engine.nextPlatformAction() ─► bridge ─► OS
//!                        OS ─► bridge ─► Engine.platformEvent(…)
//! ```
//!
//! # For the writer of a bridge
//! - **One engine per app process**, made when the plugin is, kept while the app lives: a WebView may be
//!   reloaded without ending a call. Making one costs a thread; nothing is connected, recorded or
//!   played before a method asks for it.
//! - **Two loops**, each in one coroutine or task, each until it gets null: [`Engine::next_message`] goes to
//!   JavaScript, [`Engine::next_platform_action`] to the operating system. They are apart because a call
//!   must ring while no page is loaded. Both may be cancelled and begun again without loss.
//! - **Messages are forwarded, never read**: `Reply.id` is what the bridge gave to [`Engine::command`]: take
//!   the plugin framework's callback id, and no table is needed. An `Event` goes to the one keep-alive
//!   callback. Replies and events come through one loop, in the order in which the call machine gave them: a reply
//!   before the events that its method causes, after those that came earlier, and after the reply that came earlier. So
//!   forward them from that loop, in order, and not from tasks of their own.
//! - **Threads**: every method may be called from any thread, none blocks. The async ones need no
//!   particular executor and complete on an engine thread: hop to the main thread where the OS wants it.
//! - **Ends**: `stop()` leaves the call and signs out; then both loops get their null and [`Engine::command`]
//!   says false. After that (or without it, where the process dies) close or drop the object. Dropping
//!   without `stop` ends the engine as a crash would: the others learn it after the grace time.
//! - **Errors**: a failing method is an ordinary reply. Only [`Engine::start`] throws. A panic inside ends
//!   the engine, so both loops; it never crosses. A bridge whose loops end though it did not ask for it
//!   makes a new engine.
#![deny(missing_docs)]

mod config;
mod engine;
mod message;
mod platform;
mod platform_action;
mod platform_event;
mod stats;

pub use config::{AudioBackend, EngineConfig, StartError};
pub use engine::{Engine, version};
pub use message::Message;
pub use platform_action::{CallInfo, Person, PlatformAction};
pub use platform_event::PlatformEvent;

uniffi::setup_scaffolding!();
