import Foundation
import JmrtcBridge
import Network

/// The way to the network, as the system sees it.
final class NetworkPath: SystemNetwork, @unchecked Sendable {
    private let monitor = NWPathMonitor()

    func start(_ path: @escaping @Sendable (Bool, [String]) -> Void) {
        monitor.pathUpdateHandler = { now in
            path(now.status == .satisfied, now.availableInterfaces.map(\.name) + now.gateways.map { "\($0)" }.sorted())
        }
        monitor.start(queue: DispatchQueue(label: "io.github.jmrtc.network-path"))
    }
}
