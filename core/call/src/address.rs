//! Where `login` goes, and as whom.

use serde_json::Value;

/// The WebSocket URL of the server that `text` names: `http(s)://host[:port][/path]` or `ws(s)://…`,
/// with or without `/v1/ws` at the end.
pub(crate) fn socket_url(text: &str) -> Result<String, &'static str> {
    const PATH: &str = "/v1/ws";
    let (scheme, rest) = text.split_once("://").ok_or("a server URL begins with https:// or wss://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        _ => return Err("a server URL begins with http, https, ws or wss"),
    };
    if rest.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\')) {
        return Err("a server URL has no white space, query or fragment");
    }
    let rest = rest.trim_end_matches('/');
    let rest = rest.strip_suffix(PATH).unwrap_or(rest);
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') || host.contains('@') {
        return Err("a server URL names a host, and no user");
    }
    Ok(format!("{scheme}://{rest}{PATH}"))
}

/// The username that a token says it is for. Unverified: only the server can tell whether it is true.
pub(crate) fn subject(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims: Value = serde_json::from_slice(&base64url(claims)?).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

/// Base64 for URLs without padding (RFC 4648 section 5).
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u8);
    for c in text.trim_end_matches('=').bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_server_gives_one_url() {
        for (text, url) in [
            ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/ws"),
            ("http://127.0.0.1:8080/", "ws://127.0.0.1:8080/v1/ws"),
            ("https://call.example.org", "wss://call.example.org/v1/ws"),
            ("HTTPS://call.example.org//", "wss://call.example.org/v1/ws"),
            ("ws://host/v1/ws", "ws://host/v1/ws"),
            ("wss://host:1/v1/ws/", "wss://host:1/v1/ws"),
            ("https://host/jmrtc", "wss://host/jmrtc/v1/ws"),
            ("http://[::1]:80", "ws://[::1]:80/v1/ws"),
        ] {
            assert_eq!(socket_url(text).as_deref(), Ok(url), "{text}");
        }
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for text in ["", "host", "host:80", "ftp://host", "http://", "http:///x", "http://:80", "http://a b"]
        {
            assert!(socket_url(text).is_err(), "{text}");
        }
        for text in
            ["http://host/?a=b", "http://host/#x", "http://user@host", "/v1/ws", "://host", "http://\n"]
        {
            assert!(socket_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_tells_its_user() {
        // {"alg":"HS256"} . {"iss":"k","sub":"zoë","exp":1} . signature
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJrIiwic3ViIjoiem_DqyIsImV4cCI6MX0.c2ln";
        assert_eq!(subject(token).as_deref(), Some("zoë"));
        for token in ["", "a", "a.b", "a.b.c", "a.e30.c", "a.eyJzdWIiOjF9.c", "a.e30.c.d", "a.ä.c"] {
            assert_eq!(subject(token), None, "{token}");
        }
    }
}
