//! What a process tells the one that comes after it, should the system kill it in a call.

use std::fs;
use std::io;
use std::path::PathBuf;

use jmrtc_protocol::ChannelId;
use log::warn;

/// In which call the person is muted: should it come back, it must not open their microphone.
pub(crate) struct Memory {
    /// None remembers nothing.
    file: Option<PathBuf>,
    muted_in: Option<ChannelId>,
}

impl Memory {
    /// What the process before has left in `folder`.
    pub(crate) fn of(folder: Option<PathBuf>) -> Self {
        let file = folder.map(|folder| folder.join("jmrtc-muted"));
        let left = file.as_ref().and_then(|file| fs::read_to_string(file).ok());
        Self { file, muted_in: left.filter(|channel| !channel.is_empty()).map(ChannelId) }
    }

    pub(crate) const fn muted_in(&self) -> Option<&ChannelId> {
        self.muted_in.as_ref()
    }

    /// A folder that can't be written ends the memory, not the call.
    pub(crate) fn keep(&mut self, muted_in: Option<&ChannelId>) {
        if self.muted_in.as_ref() == muted_in {
            return;
        }
        self.muted_in = muted_in.cloned();
        if let Err(e) = self.write() {
            warn!("it is not remembered that the person is muted, or no more: {e}");
        }
    }

    /// Whole or not at all.
    fn write(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        match &self.muted_in {
            None => fs::remove_file(file),
            Some(channel) => {
                let draft = file.with_extension("new");
                fs::write(&draft, &channel.0)?;
                fs::rename(draft, file)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_remembers_what_this_one_kept_last() {
        let folder = std::env::temp_dir().join(format!("jmrtc-memory-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let next = || Memory::of(Some(folder.clone()));
        let (a, b) = (ChannelId("a".into()), ChannelId("b".into()));
        let mut memory = next();
        assert_eq!(memory.muted_in(), None);
        memory.keep(Some(&a));
        assert_eq!(next().muted_in(), Some(&a));
        memory.keep(Some(&b));
        assert_eq!(next().muted_in(), Some(&b));
        memory.keep(None);
        memory.keep(None);
        assert_eq!(next().muted_in(), None);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
        fs::remove_dir(&folder).unwrap();
        memory.keep(Some(&a));
        assert_eq!((memory.muted_in(), next().muted_in()), (Some(&a), None), "a folder that is gone");
        let mut forgetful = Memory::of(None);
        forgetful.keep(Some(&a));
        assert_eq!(forgetful.muted_in(), Some(&a));
    }
}
