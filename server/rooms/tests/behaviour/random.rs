//! Random inputs in random order. After each the rooms must not contradict themselves, and every client must be
//! able to follow what it is told (`world.rs` checks both); at the end, when all are gone, nothing is left.

use jmrtc_protocol::{ChannelId, LeaveReason, Relation, Request, Stay, Username};
use jmrtc_rooms::{ConnId, Input, LinkId, Timestamp};
use proptest::prelude::*;

use crate::world::{World, name};

const CLIENTS: [&str; 7] = ["alice", "alice/tablet", "bob", "bob/tablet", "carol", "dave", "erin"];
const USERS: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "echo", "nobody"];

#[derive(Debug, Clone)]
enum Step {
    SignIn(usize),
    Drop(usize),
    /// With so many of the last events lost.
    ComeBack(usize, u64),
    Ask(usize, Ask),
    /// The request this many before the last, once more.
    AskAgain(usize, usize),
    Relay(usize, bool),
    Slots(u64, Vec<Option<u64>>),
    Ping(usize),
    Wait(u64),
    Relate(usize, usize, bool, bool),
    Nonsense(u64),
    /// Another server takes over so much later.
    Replace(u64),
    Shutdown,
}

#[derive(Debug, Clone)]
enum Ask {
    Start(Vec<usize>),
    Invite(Vec<usize>),
    Accept,
    Refuse,
    Leave(bool),
    Link(u32),
    Mute(bool),
    Preflight(u32),
    EndPreflight,
    Logout,
    UpdateToken,
    /// About somebody else's call.
    Meddle(usize, u8),
}

fn ask() -> impl Strategy<Value = Ask> {
    let users = || prop::collection::vec(0..USERS.len(), 0..4);
    prop_oneof![
        6 => users().prop_map(Ask::Start),
        4 => (0..USERS.len()).prop_map(|user| Ask::Start(vec![user])),
        4 => users().prop_map(Ask::Invite),
        8 => Just(Ask::Accept),
        2 => Just(Ask::Refuse),
        3 => any::<bool>().prop_map(Ask::Leave),
        6 => (0..4u32).prop_map(Ask::Link),
        2 => any::<bool>().prop_map(Ask::Mute),
        3 => (0..4u32).prop_map(Ask::Preflight),
        1 => Just(Ask::EndPreflight),
        1 => Just(Ask::Logout),
        1 => Just(Ask::UpdateToken),
        2 => (0..CLIENTS.len(), 0..5u8).prop_map(|(whose, how)| Ask::Meddle(whose, how)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS.len();
    prop_oneof![
        30 => (client(), ask()).prop_map(|(c, ask)| Step::Ask(c, ask)),
        4 => client().prop_map(Step::SignIn),
        4 => client().prop_map(Step::Drop),
        4 => (client(), prop_oneof![4 => Just(0), 1 => 0..5u64]).prop_map(|(c, lost)| Step::ComeBack(c, lost)),
        2 => (client(), 0..5usize).prop_map(|(c, back)| Step::AskAgain(c, back)),
        6 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(n, ok)| Step::Relay(n, ok)),
        3 => (0..20u64, prop::collection::vec(prop::option::of(0..20u64), 0..4)).prop_map(|(l, s)| Step::Slots(l, s)),
        3 => client().prop_map(Step::Ping),
        4 => prop_oneof![0..1_000u64, 10_000..70_000u64].prop_map(Step::Wait),
        1 => (client(), 0..USERS.len(), any::<bool>(), any::<bool>())
            .prop_map(|(c, u, black, quiet)| Step::Relate(c, u, black, quiet)),
        1 => any::<u64>().prop_map(Step::Nonsense),
        1 => prop_oneof![0..1_000u64, 10_000..70_000u64].prop_map(Step::Replace),
    ]
}

/// The requests of each client, so that it can ask again.
type Asked = [Vec<(u64, Request)>; CLIENTS.len()];

fn run(w: &mut World, asked: &mut Asked, step: &Step) {
    let connected = |w: &World, c: usize| w.clients.get(CLIENTS[c]).is_some_and(|c| c.conn.is_some());
    match step {
        Step::SignIn(c) => {
            asked[*c].clear();
            w.sign_in(CLIENTS[*c]);
        }
        Step::Drop(c) if connected(w, *c) => w.drop(CLIENTS[*c]),
        Step::ComeBack(c, lost) if w.clients.contains_key(CLIENTS[*c]) => {
            let client = CLIENTS[*c];
            match w.clients[client].seen.saturating_sub(*lost) {
                seq if seq < w.clients[client].seen => w.come_back_from(client, seq),
                _ => w.come_back(client),
            }
            if w.clients[client].last_id == 0 {
                asked[*c].clear();
            }
        }
        Step::Ask(c, ask) if connected(w, *c) => {
            let client = CLIENTS[*c];
            let request = request(w, client, ask);
            let id = w.ask(client, request.clone());
            asked[*c].push((id, request));
        }
        Step::AskAgain(c, back) if connected(w, *c) => {
            let nth = asked[*c].len().checked_sub(1 + back);
            if let Some((id, request)) = nth.and_then(|n| asked[*c].get(n).cloned()) {
                w.ask_again(CLIENTS[*c], id, request);
            }
        }
        Step::Relay(n, ok) if !w.tickets.is_empty() => {
            let n = n % w.tickets.len();
            w.relay_answers_nth(n, if *ok { Ok("answer") } else { Err("refused") });
        }
        Step::Slots(link, sources) => {
            let sources = sources.iter().map(|s| s.map(LinkId)).collect();
            w.put(Input::Slots { link: LinkId(*link), sources });
        }
        Step::Ping(c) if connected(w, *c) => w.ping(CLIENTS[*c]),
        Step::Wait(ms) => w.wait(*ms),
        Step::Relate(viewer, user, is_in_black_list, is_no_disturb) => {
            let viewer = CLIENTS[*viewer].split('/').next().unwrap();
            let (is_in_black_list, is_no_disturb) = (*is_in_black_list, *is_no_disturb);
            w.relate(
                viewer,
                USERS[*user],
                Relation { is_in_black_list, is_no_disturb, ..Relation::default() },
            );
        }
        Step::Nonsense(n) => {
            let conn = ConnId(1_000_000 + n % 1_000);
            w.put(Input::Disconnected { conn, silent_ms: 0 });
            w.put(Input::Ping { conn, ack: *n });
            w.put(Input::Deadline);
            w.relay_answers_nothing();
            assert!(!w.rooms.handle(Timestamp(w.now), nonsense(conn, *n)).is_empty(), "an answer");
        }
        Step::Replace(ms) => w.replace(*ms),
        Step::Shutdown => w.put(Input::Shutdown),
        Step::Drop(_)
        | Step::ComeBack(..)
        | Step::Ask(..)
        | Step::AskAgain(..)
        | Step::Relay(..)
        | Step::Ping(_) => {}
    }
}

fn nonsense(conn: ConnId, n: u64) -> Input {
    let request = Request::Accept { channel_id: ChannelId(n.to_string()), stay: 0 };
    Input::Request { conn, id: n, request, known: vec![] }
}

fn request(w: &World, client: &str, ask: &Ask) -> Request {
    let names = |users: &[usize]| users.iter().map(|u| name(USERS[*u])).collect::<Vec<Username>>();
    let about = |ask: &Ask, (channel_id, stay): (ChannelId, Stay)| match ask {
        Ask::Start(users) => Request::Start { usernames: names(users) },
        Ask::Invite(users) => Request::Invite { channel_id, usernames: names(users) },
        Ask::Accept | Ask::Meddle(..) => Request::Accept { channel_id, stay },
        Ask::Refuse => Request::Refuse { channel_id, stay },
        Ask::Leave(true) => Request::Leave { channel_id, stay: Some(stay), reason: LeaveReason::Hangup },
        Ask::Leave(false) => {
            Request::Leave { channel_id, stay: Some(stay), reason: LeaveReason::NetworkError }
        }
        Ask::Link(generation) => {
            Request::Link { channel_id, stay, generation: *generation, offer: "offer".into() }
        }
        Ask::Mute(muted) => Request::Mute { channel_id, muted: *muted },
        Ask::Preflight(generation) => Request::Preflight { generation: *generation, offer: "offer".into() },
        Ask::EndPreflight => Request::EndPreflight,
        Ask::Logout => Request::Logout,
        Ask::UpdateToken => Request::UpdateToken { token: "checked before".into() },
    };
    let Ask::Meddle(whose, how) = ask else { return about(ask, w.part(client)) };
    let other = CLIENTS[*whose];
    let part = if w.clients.contains_key(other) { w.part(other) } else { (ChannelId(String::new()), 0) };
    let ask = match how {
        0 => Ask::Refuse,
        1 => Ask::Leave(true),
        2 => Ask::Link(1),
        3 => Ask::Invite(vec![5]),
        _ => Ask::Accept,
    };
    about(&ask, part)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_goes_wrong(steps in prop::collection::vec(step(), 1..120), stop in prop::bool::weighted(0.1)) {
        let mut w = World::new(&CLIENTS);
        let mut asked = Asked::default();
        for step in &steps {
            run(&mut w, &mut asked, step);
        }
        if stop {
            run(&mut w, &mut asked, &Step::Shutdown);
            prop_assert!(w.rooms.is_idle());
        }
        w.expect_nothing_left();
    }
}
