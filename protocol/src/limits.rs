//! Limits both ends hold to. A message over a limit gets a clear error and changes nothing.

/// Largest message of a client, in bytes of JSON.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Largest message of a server, in bytes of JSON: a session names each of [`MAX_MEMBERS`], a few for their part in it, and
/// those who are muted; a reply beside it those who could not be called.
pub const MAX_SERVER_MESSAGE_BYTES: usize =
    (MAX_MEMBERS + 4) * (MAX_USER_BYTES + 2 * (4 * MAX_USERNAME_CHARS + 64));
/// Largest profile, and largest relation, in bytes of JSON.
pub const MAX_PROFILE_BYTES: usize = 2 * 1024;
/// Largest user, in bytes of JSON: profile, relation, a name of characters of four bytes, the app key, and what stands
/// around them.
pub const MAX_USER_BYTES: usize = 2 * MAX_PROFILE_BYTES + 4 * MAX_USERNAME_CHARS + MAX_APP_KEY_BYTES + 64;
/// Longest text in a profile or relation, in Unicode scalar values.
pub const MAX_TEXT_CHARS: usize = 1024;
/// Most `extras` of a profile.
pub const MAX_EXTRAS: usize = 32;
/// Users that one `users` request asks for.
pub const MAX_USERS_ASKED: usize = 40;
/// Users that one user may keep something about.
pub const MAX_RELATIONS: usize = 2_000;
/// Calls that one `history` request asks for.
pub const MAX_HISTORY: u32 = 100;
/// Calls that `getCallHistory` asks for unless told otherwise.
pub const DEFAULT_HISTORY: u32 = 20;
/// Longest username, in Unicode scalar values.
pub const MAX_USERNAME_CHARS: usize = 128;
/// Longest app key, in bytes of JSON.
pub const MAX_APP_KEY_BYTES: usize = 256;
/// Longest device id, in bytes.
pub const MAX_DEVICE_ID_BYTES: usize = 128;
/// Longest token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Longest SDP offer, in bytes: nine audio m-lines with candidates take about 12 KB.
pub const MAX_OFFER_BYTES: usize = 48 * 1024;
/// Members of one call, joined and ringing together, unless the server is configured otherwise.
pub const DEFAULT_MAX_MEMBERS: usize = 32;
/// Members that a server can be configured for (`docs/adr/0004-large-calls.md`).
pub const MAX_MEMBERS: usize = 1_000;
/// Names that one method call takes, repeated ones counted: more are not even read.
pub const MAX_NAMES: usize = 1_000;
/// Receive slots a client may offer.
pub const MAX_SLOTS: usize = 8;
/// Receive slots a client offers unless told otherwise.
pub const DEFAULT_SLOTS: usize = 4;
/// How deep a JSON message may nest.
pub const MAX_JSON_DEPTH: usize = 16;
