//! What happens by itself when its time has come.

use jmrtc_protocol::ErrorCode;

use super::Client;
use crate::out::Out;

impl Client {
    pub(super) fn expire(&mut self, out: &mut Out) {
        self.expire_line(out);
        self.expire_spare(out);
        self.expire_requests(out);
        if self.engine.deadline().is_some_and(|at| at <= self.now) {
            self.engine_failed(ErrorCode::EngineFailed, "the audio devices did not answer in time", out);
        }
        self.expire_call(out);
        self.expire_link(out);
        self.expire_stall(out);
        self.expire_preflight(out);
    }
}
