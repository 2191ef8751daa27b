//! Plays what the fuzzer has found, by the function that it calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jmrtc_call::METHODS;
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

/// What people do on the phone itself, and what may befall a world.
const DONE: [&str; 20] = [
    "answer",
    "decline",
    "kill",
    "start",
    "sleep",
    "break",
    "offline",
    "stall",
    "network",
    "interrupt",
    "deaf",
    "hear",
    "fail",
    "unplug",
    "talk",
    "delete",
    "make",
    "freeze",
    "restart",
    "handOver",
];

#[test]
fn the_corpus_ends_well_and_goes_everywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/world");
    let files = fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path());
    let (mut untold, mut undone) = (BTreeSet::from(TOLD), BTreeSet::from(DONE));
    let mut uncalled = BTreeSet::from(METHODS);
    for file in files {
        let played = fuzz(&fs::read(&file).expect("a file"));
        let log = play_plan(&played.plan).log;
        let events: Vec<_> = log.iter().filter(|line| line.contains(r#"-> {"output":"event""#)).collect();
        untold.retain(|what| !events.iter().any(|line| line.contains(&format!(r#""{what}""#))));
        let plan = played.plan.to_string();
        undone.retain(|act| !plan.contains(&format!(r#""act":"{act}""#)));
        uncalled.retain(|method| !plan.contains(&format!(r#""method":"{method}""#)));
    }
    // A corpus that goes nowhere proves nothing.
    assert!(untold.is_empty(), "nobody was told {untold:?}");
    assert!(undone.is_empty(), "nowhere there was {undone:?}");
    assert!(uncalled.is_empty(), "nobody called {uncalled:?}");
}
