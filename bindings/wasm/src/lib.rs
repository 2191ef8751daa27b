//! The call machine for browsers: [`jmrtc_call::Client`] behind a few methods that take and give JSON.
//!
//! The JavaScript driver (`www/src/browser`) owns the socket, the peer connection, the audio and the
//! timer. It hands in what happens as JSON of [`jmrtc_call::Input`] and does what comes back: a JSON
//! array of [`jmrtc_call::Output`], in order.

use jmrtc_call::{Client, Config, Generation, Input, LinkSample, Memory, Output, SocketEvent, Timestamp};
use jmrtc_protocol::{decode_server, encode};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// One call machine.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Machine {
    client: Client,
}

#[wasm_bindgen]
impl Machine {
    /// From the JSON of a [`Config`]. Throws when it is none.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str) -> Result<Self, JsError> {
        let config: Config = serde_json::from_str(config)?;
        Ok(Self { client: Client::new(config) })
    }

    /// Handles the JSON of one [`Input`] at `now`, milliseconds of a clock that never goes back.
    /// Gives a JSON array of [`Output`]s. Throws, and changes nothing, when the input is none.
    pub fn handle(&mut self, now: f64, input: &str) -> Result<String, JsError> {
        let input: Input = serde_json::from_str(input)?;
        self.step(now, input)
    }

    /// Handles one text frame of the signalling socket. Throws, and changes nothing, when it is no
    /// message that this release knows.
    pub fn received(&mut self, now: f64, generation: Generation, text: &str) -> Result<String, JsError> {
        let message = decode_server(text)?;
        self.step(now, Input::Socket { generation, event: SocketEvent::Message { message } })
    }

    /// When to hand in the next `deadline` input, on the clock of `now`; undefined for never.
    #[wasm_bindgen(js_name = nextDeadline)]
    #[must_use]
    pub fn next_deadline(&self) -> Option<f64> {
        self.client.next_deadline().map(|Timestamp(ms)| ms as f64)
    }

    /// JSON of what the next machine's config must say as its `memory`; undefined for nothing.
    #[must_use]
    pub fn memory(&self) -> Option<String> {
        let memory = self.client.memory();
        (memory != Memory::default()).then(|| encode(&memory))
    }

    /// The mean opinion score, 1 to 4.5, that the JSON of one [`LinkSample`] lets expect. Throws when it is none.
    pub fn mos(&self, sample: &str) -> Result<f64, JsError> {
        Ok(jmrtc_call::mos(&serde_json::from_str::<LinkSample>(sample)?))
    }

    fn step(&mut self, now: f64, input: Input) -> Result<String, JsError> {
        // A float of negative or no value becomes 0, a fraction is cut off.
        let outputs: Vec<Output> = self.client.handle(Timestamp(now as u64), input);
        Ok(serde_json::to_string(&outputs)?)
    }
}
