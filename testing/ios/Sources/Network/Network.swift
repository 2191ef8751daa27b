// Stand-in for Network: what the shells use of it, as Apple documents it.
@_exported import Foundation

public struct NWPath: Sendable {
    public enum Status: Sendable {
        case satisfied, unsatisfied, requiresConnection
    }

    public let status: Status
    public let availableInterfaces: [NWInterface]
    public let gateways: [NWEndpoint]

    public init(status: Status, availableInterfaces: [NWInterface], gateways: [NWEndpoint]) {
        (self.status, self.availableInterfaces, self.gateways) = (status, availableInterfaces, gateways)
    }
}

public struct NWInterface: Sendable {
    public let name: String
    public init(name: String) { self.name = name }
}

public enum NWEndpoint: CustomDebugStringConvertible, Sendable {
    case unix(path: String)
    public var debugDescription: String {
        switch self {
        case .unix(let path): path
        }
    }
}

public final class NWPathMonitor {
    nonisolated(unsafe) public static var started: [NWPathMonitor] = []
    public var pathUpdateHandler: (@Sendable (NWPath) -> Void)?
    public init() {}
    public func start(queue: DispatchQueue) { Self.started.append(self) }
}
