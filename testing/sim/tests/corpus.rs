//! Plays what the fuzzer has found, by the function that it calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jmrtc_sim::{fuzz, play_plan};

/// What an app may be told.
const TOLD: [&str; 24] = [
    "CallOutgoing",
    "CallReceiveInvite",
    "CallConnecting",
    "CallConnected",
    "CallMemberJoin",
    "CallMemberLeave",
    "CallDisconnect",
    "CallOtherUserInvited",
    "CallError",
    "CallReconnecting",
    "CallReconnected",
    "CallMemberMuted",
    "CallActiveSpeakers",
    "CallQuality",
    "refuse",
    "busy",
    "hangup",
    "networkError",
    "noAnswer",
    "cancelledByInviter",
    "answeredElsewhere",
    "refusedElsewhere",
    "callLost",
    "serverShutdown",
];

/// What may befall a world beside what people do.
const DONE: [&str; 4] = ["restart", "freeze", "delete", "make"];

#[test]
fn the_corpus_ends_well_and_goes_everywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/world");
    let files = fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path());
    let (mut untold, mut undone) = (BTreeSet::from(TOLD), BTreeSet::from(DONE));
    for file in files {
        let played = fuzz(&fs::read(&file).expect("a file"));
        let log = play_plan(&played.plan).log;
        let events: Vec<_> = log.iter().filter(|line| line.contains(r#"-> {"output":"event""#)).collect();
        untold.retain(|what| !events.iter().any(|line| line.contains(&format!(r#""{what}""#))));
        let plan = played.plan.to_string();
        undone.retain(|act| !plan.contains(&format!(r#""act":"{act}""#)));
    }
    // A corpus that goes nowhere proves nothing.
    assert!(untold.is_empty(), "nobody was told {untold:?}");
    assert!(undone.is_empty(), "nowhere there was {undone:?}");
}
