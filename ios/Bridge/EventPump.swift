import JmrtcCore

/// Forwards replies and events to the page there is, one loop for both: that is what keeps them in the engine's order.
struct EventPump: Sendable {
    let engine: Engine
    let page: @Sendable () -> Page?

    /// Returns when the engine has ended.
    func run() async {
        while let message = await engine.nextMessage() {
            switch message {
            case .reply(let id, let ok, let json): page()?.reply(callbackId: id, ok: ok, json: json)
            case .event(let json): page()?.event(json: json)
            }
        }
    }
}
