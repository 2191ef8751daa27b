//! The demo page, built into the server by `build.rs`.

use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

struct File {
    /// Without a slash in front.
    path: &'static str,
    content: &'static [u8],
}

// `FILES: &[File]`, sorted by path; empty when demo/dist was not there at build time.
include!(concat!(env!("OUT_DIR"), "/demo_files.rs"));

const MISSING: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>JMRTC server</title>
<style>body{font:1rem/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>
<h1>The JMRTC server is running</h1>
<p>The demo page is not in this build. Build it and the server with <code>npm run demo</code> in the repository,
or <code>npm run build</code> and then <code>cargo build -p jmrtc-server</code>.</p>
<p>Apps connect to <code>/v1/ws</code>; see <code>docs/protocol.md</code>.</p></html>
";

/// Everything that is no other route.
pub(crate) async fn page(method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    match FILES.binary_search_by(|file| file.path.cmp(path)) {
        Ok(found) => {
            let headers =
                [(header::CONTENT_TYPE, content_type(path)), (header::CACHE_CONTROL, caching(path))];
            (headers, FILES[found].content).into_response()
        }
        Err(_) if path == "index.html" => (
            [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")],
            MISSING,
        )
            .into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "not found\n").into_response(),
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A page always comes fresh; its parts are asked for again each time, since their names don't change.
fn caching(path: &str) -> &'static str {
    if path.ends_with(".html") { "no-store" } else { "no-cache" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_and_none_is_in_the_way_of_the_api() {
        assert!(FILES.is_sorted_by(|a, b| a.path < b.path));
        assert!(FILES.iter().all(|file| !file.path.starts_with("v1/") && !file.path.starts_with('/')));
    }

    #[tokio::test]
    async fn there_is_always_a_page_and_never_a_way_out() {
        let get = async |path: &str| page(Method::GET, path.parse().unwrap()).await;
        let index = get("/").await;
        assert_eq!(index.status(), StatusCode::OK);
        assert_eq!(index.headers()[header::CACHE_CONTROL], "no-store");
        for path in ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "//etc/passwd", "/nothing"] {
            assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(page(Method::POST, "/".parse().unwrap()).await.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(content_type("a/b.wasm"), "application/wasm");
    }
}
