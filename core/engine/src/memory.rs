//! What a process tells the one that comes after it, should the system kill it in a call.

use std::fs;
use std::io;
use std::path::PathBuf;

use jmrtc_call::Memory;
use jmrtc_protocol::encode;
use log::warn;

/// The machine's memory in a file.
pub(crate) struct MemoryFile {
    /// None remembers nothing.
    file: Option<PathBuf>,
    memory: Memory,
}

impl MemoryFile {
    /// What the process before has left in `folder`.
    pub(crate) fn of(folder: Option<PathBuf>) -> Self {
        let file = folder.map(|folder| folder.join("jmrtc-memory"));
        let left = file.as_ref().and_then(|file| fs::read_to_string(file).ok());
        // One that this release can't read is none.
        let memory = left.and_then(|left| serde_json::from_str(&left).ok()).unwrap_or_default();
        Self { file, memory }
    }

    pub(crate) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// A folder that can't be written ends the memory, not the call.
    pub(crate) fn keep(&mut self, memory: Memory) {
        if self.memory == memory {
            return;
        }
        self.memory = memory;
        if let Err(e) = self.write() {
            warn!("the next start of the app will not know how this one left its call: {e}");
        }
    }

    /// Whole or not at all.
    fn write(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if self.memory == Memory::default() {
            return fs::remove_file(file);
        }
        let draft = file.with_extension("new");
        fs::write(&draft, encode(&self.memory))?;
        fs::rename(draft, file)
    }
}

#[cfg(test)]
mod tests {
    use jmrtc_call::{Left, Remembered};
    use jmrtc_protocol::{ChannelId, LeaveReason, Username};

    use super::*;

    #[test]
    fn the_next_process_remembers_what_this_one_kept_last() {
        let folder = std::env::temp_dir().join(format!("jmrtc-memory-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let next = || MemoryFile::of(Some(folder.clone()));
        let nothing = Memory::default();
        let of = |remembered| Memory([(Username::new("bob").unwrap(), remembered)].into());
        let muted = of(Remembered { muted_in: Some(ChannelId("a".into())), ..Remembered::default() });
        let goodbye = Left { channel_id: ChannelId("b".into()), stay: Some(3), reason: LeaveReason::Hangup };
        let left = of(Remembered { left: vec![goodbye], left_start: true, ..Remembered::default() });
        let mut memory = next();
        assert_eq!(memory.memory(), &nothing);
        for what in [&muted, &left, &nothing, &nothing] {
            memory.keep(what.clone());
            assert_eq!(next().memory(), what);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
        fs::write(folder.join("jmrtc-memory"), "half of a").unwrap();
        assert_eq!(next().memory(), &nothing);
        fs::remove_dir_all(&folder).unwrap();
        memory.keep(muted.clone());
        assert_eq!((memory.memory(), next().memory()), (&muted, &nothing), "a folder that is gone");
        let mut forgetful = MemoryFile::of(None);
        forgetful.keep(muted.clone());
        assert_eq!(forgetful.memory(), &muted);
    }
}
