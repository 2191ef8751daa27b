import Foundation

/// The plugin framework's way back to JavaScript. From any thread; ids that the page does not know (any more) do nothing.
public protocol WebView: AnyObject {
    /// Calls the success callback (`ok`) or the failure callback with JSON text; `keep` where it will be called again.
    func send(callbackId: String, ok: Bool, json: String, keep: Bool)
}

/// The page in one WebView, as the engine's messages see it. May be called from any thread. That another page is being loaded
/// is nothing to it: it may not come, and Cordova's JavaScript drops what is meant for a page that was here before.
public final class Page: @unchecked Sendable {
    private weak var webView: (any WebView)?
    private let lock = NSLock()
    private var events: String?

    public init(webView: any WebView) {
        self.webView = webView
    }

    /// From now on events go to this callback.
    public func listen(callbackId: String) {
        lock.withLock { events = callbackId }
    }

    func reply(callbackId: String, ok: Bool, json: String) {
        webView?.send(callbackId: callbackId, ok: ok, json: json, keep: false)
    }

    func event(json: String) {
        guard let callbackId = lock.withLock({ events }) else { return }
        webView?.send(callbackId: callbackId, ok: true, json: json, keep: true)
    }
}
