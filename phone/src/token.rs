//! A token by name, from a server that runs with `--dev`.

use std::time::Duration;

use jmrtc_protocol::Failure;
use serde::Deserialize;
use serde_json::json;

use crate::outcome::Outcome;

const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Answer {
    token: String,
}

/// Asks `server` for a token for `user`.
pub(crate) fn fetch(server: &str, user: &str) -> Result<String, Outcome> {
    let url = format!("{}/v1/dev/token", http_address(server));
    let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let unreachable = |e: ureq::Error| Outcome::new(20, format!("{url}: {e}"));
    let mut answer = agent.post(&url).send_json(json!({ "user": user })).map_err(unreachable)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer.body_mut().read_json::<Answer>().map_err(unreachable)?.token);
    }
    let why = match answer.body_mut().read_json::<Failure>() {
        Ok(failure) => failure.description,
        Err(_) => "a token by name needs a server that runs with --dev".to_owned(),
    };
    Err(Outcome::new(21, format!("{url} answers {status}: {why}")))
}

/// The server's `http(s)` address without path, of any URL that `--server` takes.
fn http_address(server: &str) -> String {
    let (scheme, rest) = server.split_once("://").unwrap_or_default();
    let scheme = match scheme {
        "ws" => "http",
        "wss" => "https",
        other => other,
    };
    let host = rest.split('/').next().unwrap_or(rest);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_form_of_the_server_leads_to_its_http_address() {
        for (server, http) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("ws://a.example/v1/ws", "http://a.example"),
            ("wss://a.example:1/v1/ws", "https://a.example:1"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(http_address(server), http);
        }
    }
}
