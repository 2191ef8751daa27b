//! Writes the machine's run to a file, one JSON line per step.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use jmrtc_call::{Config, Input, Output, Timestamp, transcript};
use log::warn;

/// A transcript under way. Each step is on disk when it is written: a crash is when it is wanted most.
pub(crate) struct TranscriptFile {
    file: Option<BufWriter<File>>,
}

impl TranscriptFile {
    pub(crate) fn create(path: &Path, config: &Config) -> io::Result<Self> {
        let mut file = Self { file: Some(BufWriter::new(File::create(path)?)) };
        file.line(&transcript::header(config));
        Ok(file)
    }

    pub(crate) fn step(&mut self, now: Timestamp, input: &Input, outputs: &[Output]) {
        self.line(&transcript::step(now, input, outputs));
    }

    /// A full disk ends the transcript, not the call.
    fn line(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        if let Err(e) = writeln!(file, "{line}").and_then(|()| file.flush()) {
            warn!("the transcript ends here: {e}");
            self.file = None;
        }
    }
}
