//! What is wrong with a file, or with what happened, is said so that its author can mend it.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jmrtc_protocol::{Profile, Relation, User, Username};
use jmrtc_scenarios::{Kind, Order, Report, Scenario, Sim, Stage, Use, Verdict, play};
use serde_json::{Value, json};

const RINGS: &str = "title: Bob is called
devices: [alice, bob]
steps:
  - alice calls startCallUsers: {usernames: [bob]}
    gives: {i: [bob], j: [alice]}
  - alice hears CallOutgoing: {i: [bob], j: [alice]}
";

fn read(text: &str) -> Result<Scenario, String> {
    Scenario::parse(Path::new("a.yaml"), text)
}

fn played(steps: &str) -> String {
    let scenario = read(&format!("{RINGS}{steps}")).unwrap();
    match play(&scenario, &mut Sim::new(1, false)) {
        Verdict::Failed(why) => why,
        verdict @ (Verdict::Passed | Verdict::Skipped(_)) => format!("{verdict:?}"),
    }
}

#[test]
fn what_is_not_understood_is_named_with_its_line() {
    for (step, problem) in [
        ("bob hers nothing", "a.yaml:7: step 3: `bob hers nothing` is not understood"),
        ("eve hears nothing", "a.yaml:7: step 3: `eve` is no device of this scenario"),
        ("bob calls fly", "a.yaml:7: step 3: there is no method `fly`"),
        ("bob hears CallMissed: {}", "a.yaml:7: step 3: there is no event `CallMissed`"),
        ("bob hears CallDisconnect: {}", "a.yaml:7: step 3: `CallDisconnect` needs a reason"),
        (
            "bob hears CallConnecting",
            "a.yaml:7: step 3: `CallConnecting` needs its fields; write `CallConnecting: {}` where none matters",
        ),
        (
            "bob hears: [CallConnecting]",
            "a.yaml:7: step 3: `CallConnecting` needs its fields; write `CallConnecting: {}` where none matters",
        ),
        ("bob hears: []", "a.yaml:7: step 3: `hears` needs an event, or write `hears nothing`"),
        (
            "bob hears CallQuality: {}",
            "a.yaml:7: step 3: `CallQuality` is in no file: when it comes depends on what is heard",
        ),
        ("bob calls getStats", "a.yaml:7: step 3: `getStats` is in no file: its numbers depend on the sound"),
        ("bob hears CallConnecting: {chanelId: null}", "a.yaml:7: step 3: there is no field `chanelId`"),
        ("bob hears CallConnecting: {i: [{nick: null}]}", "a.yaml:7: step 3: there is no field `nick`"),
        (
            "bob hears CallDisconnect: {reason: cancel, session: {mutedMember: null}}",
            "a.yaml:7: step 3: there is no field `mutedMember`",
        ),
        (
            "bob hears CallDisconnect: {reason: {why: null}}",
            "a.yaml:7: step 3: {\"why\":null} has fields where there are none",
        ),
        (
            "{bob calls isMuted: null, gives: {muted: null}}",
            "a.yaml:7: step 3: {\"muted\":null} has fields where there are none",
        ),
        ("{bob calls getState: null, gives: {sesion: null}}", "a.yaml:7: step 3: there is no field `sesion`"),
        (
            "{bob calls getCallHistory: null, gives: {calls: [{members: [{user: bob}, {usr: bob}]}]}}",
            "a.yaml:7: step 3: there is no field `usr`",
        ),
        ("one of: [[], []]", "a.yaml:7: step 3: a way is empty"),
        (
            "one of: [[alice hears CallConnecting: {}], [bob hears CallConnecting: {}, alice hears CallConnecting: {}]]",
            "a.yaml:7: step 3: way 1 is how way 2 begins",
        ),
        ("{bob calls accept: null, fails: OOPS}", "a.yaml:7: step 3: there is no failure \"OOPS\""),
        (
            "{bob calls accept: null, expects: OOPS}",
            "a.yaml:7: step 3: `expects` means nothing here; `gives` and `fails` do",
        ),
        ("{bob network: cut, when: now}", "a.yaml:7: step 3: `when` means nothing beside `bob network`"),
        ("wait: a while", "a.yaml:7: step 3: `a while` is no time; write 3s or 500ms"),
        ("bob calls login: {token: $ticket}", "a.yaml:7: step 3: `$ticket` is no token"),
        ("bob calls login: {token: $token of bobb}", "a.yaml:7: step 3: `bobb` is no user of this scenario"),
        ("backend relates bob to bob: {isFriend: true}", "a.yaml:7: step 3: nobody has a relation to itself"),
        ("server: killed\n  - server: readOnly", "a.yaml:8: step 4: only a server that runs is `readOnly`"),
        (
            "server: killed\n  - backend deletes bob",
            "a.yaml:8: step 4: the backend needs a server that runs and keeps changes",
        ),
        (
            "server: readOnly\n  - backend makes bob",
            "a.yaml:8: step 4: the backend needs a server that runs and keeps changes",
        ),
        (
            "server: readOnly",
            "a.yaml:7: at the end the server could not keep its calls: `server: running` before it",
        ),
        ("backend deletes eve", "a.yaml:7: step 3: `eve` is no user of this scenario"),
        ("backend makes bob: {nick: Bobby}", "a.yaml:7: step 3: a profile has no `nick`"),
        ("bob becomes: {mood: good}", "a.yaml:7: step 3: there is no field of getState `mood`"),
        ("bob becomes: ready", "a.yaml:7: step 3: `becomes` needs fields of `getState`"),
        ("bob becomes: {}", "a.yaml:7: step 3: `becomes` needs fields of `getState`"),
        (
            "bob becomes: {login: reconecting}",
            "a.yaml:7: step 3: `login`: unknown variant `reconecting`, expected one of `loggedOut`, `loggingIn`, \
             `loggedIn`, `reconnecting`, `tokenRejected`",
        ),
        (
            "bob becomes: {engine: $engine}",
            "a.yaml:7: step 3: `engine`: unknown variant `$engine`, expected one of `off`, `starting`, `ready`",
        ),
        ("bob becomes: {call: null}", "a.yaml:7: step 3: `call`: invalid type: null, expected string or map"),
        ("bob becomes: {call: {idle: null}}", "a.yaml:7: step 3: `call` is a word"),
        (
            "bob becomes: {engine: off}",
            "a.yaml:7: step 3: `engine` never is `false`; YAML takes `off` for that without quotes: \"off\"",
        ),
        ("wait: 0s", "a.yaml:7: step 3: `0s` is no time from 1ms to a year"),
        ("bob sleeps: 0ms", "a.yaml:7: step 3: `0ms` is no time from 1ms to a year"),
        ("backend fires bob", "a.yaml:7: step 3: `backend fires bob` is not understood"),
    ] {
        assert_eq!(read(&format!("{RINGS}  - {step}\n")).unwrap_err(), problem);
    }
    let long = format!("  - backend makes bob: {{region: {}}}\n", "x".repeat(1025));
    let told = read(&format!("{RINGS}{long}")).unwrap_err();
    assert_eq!(told, "a.yaml:7: step 3: a text has at most 1024 characters");
    let long = format!("relations: {{bob to alice: {{noteText: {}}}}}\n", "x".repeat(1025));
    let told = read(&format!("{RINGS}{long}")).unwrap_err();
    assert_eq!(told, "a.yaml:7: a text has at most 1024 characters");
    for (more, problem) in [
        ("colour: red", "line 7 column 1: unknown field `colour`"),
        ("server: {ringtime: 3s}", "line 7 column 10: unknown field `ringtime`"),
        ("skip: {telex: it has none}", "line 7 column 8: unknown variant `telex`"),
        ("relations: {bob to alice: {isInBlacklist: true}}", "a.yaml:7: a relation has no `isInBlacklist`"),
        ("relations: {bob to eve: {isFriend: true}}", "a.yaml:7: `eve` is no user of this scenario"),
        ("relations:\n  eve to bob: {isFriend: true}", "a.yaml:8: `eve` is no user of this scenario"),
        ("relations: {bob to bob: {isFriend: true}}", "a.yaml:7: nobody has a relation to itself"),
        ("sameDevice: {bob: bob}", "a.yaml:7: `bob` is a copy and has no id of its own"),
        ("title: again", "line 7 column 1: duplicate mapping key `title` is not allowed here"),
        ("skip: {browser: }", "line 7 column 15: null is not allowed here"),
        (
            "  - bob calls accept\n    fails: CALL_ENDED",
            "A step that is followed by `gives` or `fails` ends with a colon.",
        ),
        ("server: {maxMembers: 0}", "a.yaml:7: server: `maxMembers` is from 2 to 1000"),
        ("server:\n  maxMembers: 1001", "a.yaml:8: server: `maxMembers` is from 2 to 1000"),
        ("server: {ringTime: 0s}", "a.yaml:7: server: `0s` is no time from 1ms to a year"),
        (
            "server:\n  keepCalls: true\n  graceTime: 0ms",
            "a.yaml:9: server: `0ms` is no time from 1ms to a year",
        ),
        ("server: {pingTime: 31536001s}", "a.yaml:7: server: `31536001s` is no time from 1ms to a year"),
    ] {
        let told = read(&format!("{RINGS}{more}\n")).unwrap_err();
        assert!(told.contains(problem), "{told}");
    }
}

#[test]
fn there_are_some_devices_and_not_too_many_of_one_user() {
    let steps = "steps:\n  - wait: 1s\n";
    let told = |devices: &str| read(&format!("title: Who\ndevices: [{devices}]\n{steps}")).unwrap_err();
    assert_eq!(told(""), "a.yaml:2: there are no devices");
    let many: Vec<_> = (0..17).map(|n| format!("bob/{n}")).collect();
    assert_eq!(told(&many.join(", ")), "a.yaml:2: device `bob/16`: a user has at most 16");
    let copies = "sameDevice: {bob/a: bob/b, bob/b: bob/a}\n";
    let told = read(&format!("title: Who\ndevices: [bob/a, bob/b]\n{copies}{steps}")).unwrap_err();
    assert_eq!(told, "a.yaml:3: `bob/b` is a copy and has no id of its own");
}

#[test]
fn what_happened_otherwise_is_shown_beside_what_was_expected() {
    let gone = "  - alice calls hangup\n  - alice hears CallDisconnect: {reason: hangup}\n";
    let rung = "  - bob hears CallReceiveInvite: {i: [bob]}\n";
    let over = "  - bob hears CallDisconnect: {reason: cancel, detail: cancelledByInviter}\n";
    assert_eq!(played(&format!("{rung}{gone}{over}")), "Passed");
    for (steps, expected, seen) in [
        (
            "  - bob hears CallReceiveInvite: {i: [carol]}\n".to_owned(),
            "a.yaml:7: bob hears CallReceiveInvite {\"i\":[\"carol\"]}",
            "where payload.invitingMembers[0] is bob, not \"carol\"",
        ),
        (
            format!("{rung}{gone}  - bob hears CallConnecting: {{i: []}}\n"),
            "a.yaml:10: bob hears CallConnecting {\"i\":[]}",
            "but was told CallDisconnect",
        ),
        (rung.to_owned() + "  - bob hears nothing\n" + gone + over, "", "Passed"),
        (
            "  - bob hears nothing\n".to_owned(),
            "a.yaml:7: bob hears nothing",
            "but was told CallReceiveInvite",
        ),
        (format!("{rung}{gone}"), "a.yaml: at the end: bob hears nothing", "but was told CallDisconnect"),
        (rung.to_owned(), "a.yaml: at the end: alice is still in a call", "call: \"outgoing\""),
        (
            format!("{rung}  - bob calls refuse:\n    fails: CALL_ENDED\n"),
            "a.yaml:8: bob: refuse fails CALL_ENDED",
            "but was told refuse gives {}",
        ),
        (
            format!("{rung}{gone}  - bob hears CallDisconnect: {{reason: cancel}}\n"),
            "a.yaml:10: bob hears CallDisconnect",
            "where payload.detail is \"cancelledByInviter\", of which nothing is said",
        ),
    ] {
        let told = played(&steps);
        assert!(told.contains(expected) && told.contains(seen), "{steps}: {told}");
    }
}

/// A simulated world in which Bob is told one thing more, right after another.
struct Whispers {
    sim: Sim,
    after: &'static str,
    more: Option<(&'static str, Value)>,
    due: bool,
}

impl Stage for Whispers {
    fn kinds(&self) -> Vec<Kind> {
        self.sim.kinds()
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        self.sim.carry_out(order)
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Report>, String> {
        if let Some((event, payload)) = self.more.take_if(|_| self.due) {
            return Ok(Some(Report::Event { device: "bob".to_owned(), event: event.to_owned(), payload }));
        }
        let report = self.sim.next(patience)?;
        self.due = matches!(&report, Some(Report::Event { device, event, .. }) if device == "bob" && event == self.after);
        Ok(report)
    }

    fn elapsed(&self) -> Duration {
        self.sim.elapsed()
    }

    fn pass(&mut self, time: Duration) -> Result<(), String> {
        self.sim.pass(time)
    }
}

#[test]
fn what_no_file_speaks_of_must_be_right_all_the_same() {
    const STEPS: &str = "  - bob hears CallReceiveInvite: {i: [bob]}
  - bob calls accept
  - alice hears: [{CallConnecting: {}}, {CallMemberJoin: bob}, {CallConnected: {}}]
  - bob hears: [{CallConnecting: {}}, {CallMemberJoin: alice}, {CallConnected: {}}]
  - bob system: networkChanged
  - bob hears: [{CallReconnecting: {}}, {CallReconnected: {}}]
  - alice calls hangup
  - alice hears CallDisconnect: {reason: hangup}
  - bob hears: [{CallMemberLeave: {user: alice, reason: hangup}}, {CallDisconnect: {reason: hangup}}]
";
    let scenario = read(&format!("{RINGS}{STEPS}")).unwrap();
    let speak = |names: &[&str]| {
        let user =
            |name| User::new("app", Username::new(name).unwrap(), Profile::default(), Relation::default());
        json!({ "activeSpeakers": names.iter().copied().map(user).collect::<Vec<_>>() })
    };
    let quality = |score: u8| json!({ "score": score, "mos": 4.1, "warnings": [] });
    for (after, event, payload, problem) in [
        ("CallConnected", "CallQuality", quality(4), ""),
        ("CallReconnected", "CallQuality", quality(4), ""),
        ("CallConnected", "CallQuality", quality(6), "no quality is 6 of 5"),
        ("CallConnected", "CallQuality", json!({ "score": 4, "mos": 4.1 }), "not as the model says"),
        ("CallConnecting", "CallQuality", quality(4), "while it is NotConnected"),
        ("CallReconnecting", "CallQuality", quality(4), "while it is Reconnecting"),
        ("CallDisconnect", "CallQuality", quality(4), "while it is NotConnected"),
        ("CallConnected", "CallActiveSpeakers", speak(&["alice", "bob"]), ""),
        ("CallReconnecting", "CallActiveSpeakers", speak(&[]), ""),
        ("CallMemberJoin", "CallActiveSpeakers", speak(&["alice"]), "while it is NotConnected"),
        ("CallConnected", "CallActiveSpeakers", speak(&["eve"]), "eve speaks, who is not in the call"),
        ("CallConnected", "CallActiveSpeakers", speak(&["bob", "bob"]), "somebody speaks twice"),
        ("CallMemberLeave", "CallActiveSpeakers", speak(&["alice"]), "alice speaks, who is not in the call"),
    ] {
        let mut stage = Whispers { sim: Sim::new(1, false), after, more: Some((event, payload)), due: false };
        let verdict = play(&scenario, &mut stage);
        assert_eq!(stage.more, None, "{event} after {after} was told");
        match (&verdict, problem) {
            (Verdict::Passed, "") => {}
            (Verdict::Failed(why), problem) if !problem.is_empty() && why.contains(problem) => {
                assert!(why.contains(&format!("bob hears {event}")), "{why}");
            }
            _ => panic!("{event} after {after}: {verdict:?}"),
        }
    }
}

/// A simulated world in which Bob's app is told how it sounds right before it is killed, and the runner hears of it late.
struct LateNews {
    sim: Sim,
    news: Option<Report>,
}

impl Stage for LateNews {
    fn kinds(&self) -> Vec<Kind> {
        self.sim.kinds()
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        if matches!(order, Order::Kill { .. }) {
            let payload = json!({ "score": 4, "mos": 4.1, "warnings": [] });
            self.news =
                Some(Report::Event { device: "bob".to_owned(), event: "CallQuality".to_owned(), payload });
        }
        self.sim.carry_out(order)
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Report>, String> {
        self.news.take().map_or_else(|| self.sim.next(patience), |news| Ok(Some(news)))
    }

    fn elapsed(&self) -> Duration {
        self.sim.elapsed()
    }

    fn pass(&mut self, time: Duration) -> Result<(), String> {
        self.sim.pass(time)
    }
}

#[test]
fn what_an_app_was_told_before_it_was_killed_is_no_news_of_its_next_life() {
    const STEPS: &str = "  - bob hears CallReceiveInvite: {i: [bob]}
  - bob calls accept
  - alice hears: [{CallConnecting: {}}, {CallMemberJoin: bob}, {CallConnected: {}}]
  - bob hears: [{CallConnecting: {}}, {CallMemberJoin: alice}, {CallConnected: {}}]
  - bob app: closed
  - alice hears: [{CallMemberLeave: {user: bob, reason: networkError}}, {CallDisconnect: {reason: networkError}}]
server: {graceTime: 2s}
";
    let scenario = read(&format!("{RINGS}{STEPS}")).unwrap();
    let mut stage = LateNews { sim: Sim::new(1, false), news: None };
    assert_eq!(play(&scenario, &mut stage), Verdict::Passed);
}

/// A simulated world that takes ten seconds to do what it is told.
struct Slow {
    sim: Sim,
    orders: u32,
}

impl Stage for Slow {
    fn kinds(&self) -> Vec<Kind> {
        self.sim.kinds()
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        self.orders += 1;
        self.sim.carry_out(order)
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Report>, String> {
        self.sim.next(patience)
    }

    fn elapsed(&self) -> Duration {
        self.sim.elapsed() + Duration::from_secs(10) * self.orders
    }

    fn pass(&mut self, time: Duration) -> Result<(), String> {
        self.sim.pass(time)
    }
}

#[test]
fn the_time_of_looking_is_time_of_waiting() {
    let scenario = read(&format!("{RINGS}  - bob becomes: {{call: connected}}\n")).unwrap();
    let mut stage = Slow { sim: Sim::new(1, false), orders: 0 };
    let Verdict::Failed(why) = play(&scenario, &mut stage) else { panic!("it never does") };
    assert!(why.contains("a.yaml:7: bob: getState.call is \"incoming\", not \"connected\""), "{why}");
    assert!(stage.orders < 30, "{}", stage.orders);
}

#[test]
fn only_a_microphone_in_use_is_unplugged_and_nobody_waits_for_one_for_ever() {
    let why = played("  - bob hears CallReceiveInvite: {i: [bob]}\n  - bob microphone: unplugged\n");
    assert!(why.contains("a.yaml:8: no microphone is in use"), "{why}");
}

#[test]
fn a_microphone_that_is_otherwise_is_told_of() {
    let calls = |steps: &str| {
        played(&format!(
            "  - bob hears CallReceiveInvite: {{i: [bob]}}
  - alice microphone is: open
  - bob microphone is: untouched
{steps}  - alice calls hangup
  - alice hears CallDisconnect: {{reason: hangup}}
  - bob hears CallDisconnect: {{reason: cancel, detail: cancelledByInviter}}
  - alice microphone is: closed
"
        ))
    };
    assert_eq!(calls(""), "Passed");
    for (step, problem) in [
        ("bob microphone is: open", "a.yaml:10: the microphone is closed"),
        ("alice microphone is: closed", "a.yaml:10: the microphone is open"),
        ("alice microphone is: untouched", "a.yaml:10: the microphone is open"),
    ] {
        let told = calls(&format!("  - {step}\n"));
        assert!(told.contains(problem), "{told}");
    }
    let after = calls("  - alice calls releaseEngine\n  - alice microphone is: untouched\n");
    assert!(after.contains("the microphone was open"), "{after}");
    let unknown = read(&format!("{RINGS}  - bob microphone is: refused\n")).unwrap_err();
    assert!(unknown.contains("a.yaml:7: step 3: unknown variant `refused`"), "{unknown}");
}

/// Whose microphones stay open.
struct Open(Sim);

impl Stage for Open {
    fn kinds(&self) -> Vec<Kind> {
        self.0.kinds()
    }
    fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        let closed = matches!(order, Order::MicrophoneIs { state: Use::Closed, .. });
        if closed { Err("the microphone is open".into()) } else { self.0.carry_out(order) }
    }
    fn next(&mut self, patience: Duration) -> Result<Option<Report>, String> {
        self.0.next(patience)
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn pass(&mut self, time: Duration) -> Result<(), String> {
        self.0.pass(time)
    }
}

#[test]
fn an_open_microphone_at_the_end_fails_whatever_the_file_says() {
    let scenario =
        read("title: Nothing happens\ndevices: [bob]\nsteps:\n  - bob calls isMuted:\n    gives: false\n")
            .unwrap();
    let Verdict::Failed(why) = play(&scenario, &mut Open(Sim::new(1, false))) else { panic!("it is open") };
    assert!(why.contains("a.yaml: at the end: bob: the microphone is open"), "{why}");
}

#[test]
fn only_an_app_that_runs_is_told_something_and_only_one_that_does_not_is_started() {
    for (steps, problem) in [
        ("  - bob app: new\n", "a.yaml:7: the app of `bob` runs already"),
        ("  - bob app: closed\n  - bob app: closed\n", "a.yaml:8: the app of `bob` does not run"),
        ("  - bob app: closed\n  - bob sleeps: 1s\n", "a.yaml:8: the app of `bob` does not run"),
        ("  - bob app: closed\n  - bob system: answered\n", "a.yaml:8: the app of `bob` does not run"),
    ] {
        let told = played(steps);
        assert!(told.contains(problem), "{told}");
    }
}

#[test]
fn nobody_waits_longer_than_on_a_real_stage_and_the_author_learns_what_to_set() {
    const UNANSWERED: &str = "  - bob hears CallReceiveInvite: {}
  - alice hears:
      - CallMemberLeave: {user: bob, reason: cancel, detail: noAnswer}
      - CallDisconnect: {reason: cancel, detail: noAnswer}
  - bob hears CallDisconnect: {reason: cancel, detail: noAnswer}
";
    let why = played(UNANSWERED);
    assert!(why.contains("nothing came within 30 s"), "{why}");
    assert!(why.contains("it rings for 60 s here; `server: {ringTime: 3s}` makes it 3"), "{why}");
    assert_eq!(played(&format!("{UNANSWERED}server: {{ringTime: 20s}}\n")), "Passed");
}

#[test]
fn who_sleeps_does_not_fall_asleep() {
    let why = played("  - bob sleeps: 2s\n  - bob sleeps: 9s\n");
    assert!(why.contains("a.yaml:8: `bob` sleeps already"), "{why}");
    let why = played("  - bob sleeps: 2s\n  - wait: 2s\n  - bob sleeps: 1s\n");
    assert!(!why.contains("sleeps already"), "{why}");
}

#[test]
fn the_simulated_server_has_the_limits_of_a_real_one() {
    let played = |steps: &str| {
        let names = "bob, carol, dave, erin, frank, gina, heidi";
        let closed: Vec<_> = names.split(", ").map(|name| format!("{name}: closed")).collect();
        let head = format!("title: Limits\ndevices: [alice, {}]\nsteps:\n", closed.join(", "));
        let scenario = read(&format!("{head}{}", steps.replace("ALL", names))).unwrap();
        play(&scenario, &mut Sim::new(1, false))
    };
    let call = "  - alice calls startCallUsers: {usernames: [ALL]}
  - alice hears CallOutgoing: {}
  - alice calls hangup
  - alice hears CallDisconnect: {reason: hangup}
";
    let refused = "  - alice calls startCallUsers: {usernames: [ALL]}\n    fails: LIMIT_EXCEEDED\n";
    assert_eq!(played(&(call.repeat(9) + refused)), Verdict::Passed);
    let change = "  - alice sends updateMyInfo: {nickname: Al}\n";
    let (taken, refused) = (
        "  - alice is answered updateMyInfo\n",
        "  - alice is answered updateMyInfo:\n    fails: LIMIT_EXCEEDED\n",
    );
    let round = |answer: &str| change.repeat(10) + &answer.repeat(10);
    let steps = round(taken).repeat(4) + change + refused;
    assert_eq!(played(&steps), Verdict::Passed);
    let elsewhere = "  - alice calls logout\n  - alice calls login: {token: $token, serverUrl: http://elsewhere}\n    fails: NETWORK\n";
    assert_eq!(played(elsewhere), Verdict::Passed);
}

#[test]
fn who_reads_only_the_beginning_is_told_of_no_fault() {
    let program = env!("CARGO_BIN_EXE_jmrtc-scenarios");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../calls/accept-and-hang-up.yaml");
    let mut command = Command::new(program);
    command.args(["--seed", "1", file]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    drop(running.stdout.take());
    let told = running.wait_with_output().unwrap().stderr;
    assert_eq!(String::from_utf8(told).unwrap(), "");
}

#[test]
fn what_a_stage_can_not_do_is_skipped_with_its_reason() {
    let scenario = read(&format!("{RINGS}skip: {{sim: it has no weather}}\n")).unwrap();
    assert_eq!(play(&scenario, &mut Sim::new(1, false)), Verdict::Skipped("it has no weather".to_owned()));
}
