//! A stage in another process: orders out, one JSON object a line; `{"done": true}` or `{"done": false, "why": …}`
//! to each comes in, with reports between.

use std::collections::VecDeque;
use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::stage::{Kind, Order, PATIENCE, Report, Stage};

/// A stage at the other end of standard input and output.
pub struct Pipe<W> {
    kinds: Vec<Kind>,
    out: W,
    lines: Receiver<String>,
    reports: VecDeque<Report>,
    began: Instant,
    /// When all are awake who sleep.
    awake: Instant,
}

#[derive(Deserialize)]
struct Done {
    done: bool,
    #[serde(default)]
    why: String,
}

impl<W: Write> Pipe<W> {
    /// One whose devices are of these kinds.
    pub fn new(kinds: Vec<Kind>, input: impl BufRead + Send + 'static, out: W) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in input.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let began = Instant::now();
        Self { kinds, out, lines, reports: VecDeque::new(), began, awake: began }
    }

    fn line(&self, patience: Duration) -> Result<Option<String>, String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("the stage is gone".into()),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|e| format!("the stage says what is not understood ({e}): {line}"))
}

impl<W: Write> Stage for Pipe<W> {
    fn kinds(&self) -> Vec<Kind> {
        self.kinds.clone()
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        let text = serde_json::to_string(order).map_err(|e| e.to_string())?;
        writeln!(self.out, "{text}").and_then(|()| self.out.flush()).map_err(|e| e.to_string())?;
        if let Order::Sleep { ms, .. } = order {
            self.awake = self.awake.max(Instant::now() + Duration::from_millis(*ms));
        }
        loop {
            // Who sleeps does nothing before it wakes.
            let patience = PATIENCE + self.awake.saturating_duration_since(Instant::now());
            let line = self.line(patience)?.ok_or_else(|| format!("the stage does not do {text}"))?;
            match serde_json::from_str::<Done>(&line) {
                Ok(Done { done: true, .. }) => return Ok(()),
                Ok(Done { done: false, why }) => return Err(why),
                Err(_) => self.reports.push_back(read(&line)?),
            }
        }
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Report>, String> {
        match self.reports.pop_front() {
            Some(report) => Ok(Some(report)),
            None => self.line(patience)?.map(|line| read(&line)).transpose(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn pass(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        while let Some(line) = self.line(end.saturating_duration_since(Instant::now()))? {
            self.reports.push_back(read(&line)?);
        }
        Ok(())
    }
}
