//! HTTP over TCP: as many connections as the server can bear, and none that dawdles.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// HTTP connections at once, WebSockets not counted; more wait in the operating system's queue.
const MAX_CONNECTIONS: usize = 4_096;
/// How long a client may take for the head of a request; also how long a connection may idle between two.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// After an error of `accept`, which is most often a lack of file descriptors.
pub(crate) const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let service = TowerToHyperService::new(router);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    loop {
        let place = places.clone().acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::warn!("no connection could be accepted: {e}");
                sleep(AFTER_ERROR).await;
                continue;
            }
        };
        // Nagle's algorithm and delayed acknowledgement together would hold a second small message back for 40 ms.
        let _ = stream.set_nodelay(true);
        let connection = http.serve_connection(TokioIo::new(stream), service.clone()).with_upgrades();
        tokio::spawn(async move {
            // Clients may break off at any moment.
            let _ = connection.await;
            drop(place);
        });
    }
}
