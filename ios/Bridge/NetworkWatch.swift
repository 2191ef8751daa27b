import Foundation

/// What the system says about the network.
public protocol SystemNetwork: AnyObject, Sendable {
    /// From now on, and at once: whether anything can be reached, and through which interfaces and gateways, the best
    /// first. One at a time, on any thread.
    func start(_ path: @escaping @Sendable (_ connected: Bool, _ ways: [String]) -> Void)
}

/// Tells `changed` when the app's network becomes another one, or one comes after there was none.
final class NetworkWatch: @unchecked Sendable {
    private let changed: @Sendable () -> Void
    private let lock = NSLock()
    private var first = true
    /// None while nothing can be reached.
    private var last: [String]?

    init(changed: @escaping @Sendable () -> Void) {
        self.changed = changed
    }

    /// The first is the network that there is.
    func path(connected: Bool, through ways: [String]) {
        let now = connected ? ways : nil
        let other = lock.withLock {
            defer {
                first = false
                last = now
            }
            return !first && now != nil && now != last
        }
        if other { changed() }
    }
}
