//! Replays what fuzzing has found worth keeping.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jmrtc_sim::{play_bytes, play_plan};

#[test]
fn the_corpus_ends_well_and_goes_everywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/world");
    let files = fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path());
    let mut heard = BTreeSet::new();
    for file in files {
        let bytes = fs::read(&file).expect("a file");
        let played = play_bytes(&bytes);
        assert!(played.result.is_ok(), "{}: {:?}", file.display(), played.result);
        heard.extend(play_plan(&played.plan).heard);
    }
    // A corpus that goes nowhere proves nothing.
    for event in [
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
    ] {
        assert!(heard.iter().any(|line: &String| line.contains(event)), "nobody heard {event}");
    }
}
