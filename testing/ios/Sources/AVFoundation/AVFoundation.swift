// Stand-in for AVFoundation and its AVFAudio: what the shells use of it, as Apple documents it. What is done to it can be seen.
@_exported import Foundation

public let AVAudioSessionInterruptionTypeKey = "AVAudioSessionInterruptionTypeKey"
public let AVAudioSessionRouteChangeReasonKey = "AVAudioSessionRouteChangeReasonKey"

public final class AVAudioSession {
    public struct Category: RawRepresentable, Equatable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public static let soloAmbient = Category(rawValue: "AVAudioSessionCategorySoloAmbient")
        public static let playback = Category(rawValue: "AVAudioSessionCategoryPlayback")
        public static let playAndRecord = Category(rawValue: "AVAudioSessionCategoryPlayAndRecord")
    }

    public struct Mode: RawRepresentable, Equatable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public static let `default` = Mode(rawValue: "AVAudioSessionModeDefault")
        public static let voiceChat = Mode(rawValue: "AVAudioSessionModeVoiceChat")
    }

    public struct CategoryOptions: OptionSet {
        public let rawValue: UInt
        public init(rawValue: UInt) { self.rawValue = rawValue }
        public static let allowBluetooth = CategoryOptions(rawValue: 4)
    }

    public struct SetActiveOptions: OptionSet {
        public let rawValue: UInt
        public init(rawValue: UInt) { self.rawValue = rawValue }
        public static let notifyOthersOnDeactivation = SetActiveOptions(rawValue: 1)
    }

    public enum PortOverride: UInt {
        case none = 0
        case speaker = 1936747378
    }

    public enum InterruptionType: UInt {
        case ended = 0
        case began = 1
    }

    public enum RouteChangeReason: UInt {
        case unknown = 0
        case newDeviceAvailable = 1
        case oldDeviceUnavailable = 2
        case categoryChange = 3
        case override = 4
    }

    public struct Port: RawRepresentable, Equatable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public static let builtInReceiver = Port(rawValue: "Receiver")
        public static let builtInSpeaker = Port(rawValue: "Speaker")
    }

    public static let interruptionNotification = Notification.Name("AVAudioSessionInterruptionNotification")
    public static let routeChangeNotification = Notification.Name("AVAudioSessionRouteChangeNotification")
    public static let mediaServicesWereResetNotification = Notification.Name(
        "AVAudioSessionMediaServicesWereResetNotification")

    nonisolated(unsafe) private static let shared = AVAudioSession()
    public class func sharedInstance() -> AVAudioSession { shared }

    public private(set) var category = Category.soloAmbient
    public private(set) var mode = Mode.default
    public private(set) var categoryOptions: CategoryOptions = []
    public var currentRoute = AVAudioSessionRouteDescription(outputs: [
        AVAudioSessionPortDescription(portType: .builtInReceiver)
    ])
    /// What was done, e.g. `active true`; not Apple's.
    public var done: [String] = []

    public func setCategory(_ category: Category, mode: Mode, options: CategoryOptions = []) throws {
        (self.category, self.mode, categoryOptions) = (category, mode, options)
        done.append("\(category.rawValue) \(mode.rawValue) \(options.rawValue)")
    }

    public func setActive(_ active: Bool, options: SetActiveOptions = []) throws {
        done.append("active \(active) \(options.rawValue)")
    }

    public func overrideOutputAudioPort(_ portOverride: PortOverride) throws {
        done.append("override \(portOverride)")
    }

    public func requestRecordPermission(_ response: @escaping @Sendable (Bool) -> Void) {
        response(true)
    }
}

public final class AVAudioSessionRouteDescription {
    public let outputs: [AVAudioSessionPortDescription]
    public init(outputs: [AVAudioSessionPortDescription]) { self.outputs = outputs }
}

public final class AVAudioSessionPortDescription {
    public let portType: AVAudioSession.Port
    public init(portType: AVAudioSession.Port) { self.portType = portType }
}
