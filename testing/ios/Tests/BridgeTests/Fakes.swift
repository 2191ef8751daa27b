import Foundation
@testable import JmrtcBridge

final class FakeMicrophone: SystemMicrophone, @unchecked Sendable {
    var explained = true
    var granted: Bool
    private(set) var asked = 0

    init(granted: Bool = true) {
        self.granted = granted
    }

    func request(_ answer: @escaping @Sendable (Bool) -> Void) {
        asked += 1
        answer(granted)
    }
}

/// An audio session that writes down what is done to it, and refuses what it is told to refuse.
final class FakeAudio: SystemAudio, @unchecked Sendable {
    struct Refused: Error {}

    static let ambient = AudioSetting(category: "ambient", mode: "default", options: 0)
    let forCalls = AudioSetting(category: "playAndRecord", mode: "voiceChat", options: 4)
    var setting = FakeAudio.ambient
    var atTheEar = true
    var refuses: Set<String> = []
    weak var listener: (any SystemAudioListener)?
    let steps = Inbox<String>()
    private(set) var log: [String] = []

    func set(_ setting: AudioSetting) throws {
        try step("category \(setting.category)") { self.setting = setting }
    }

    func setActive(_ active: Bool) throws {
        try step(active ? "activate" : "deactivate")
    }

    func setSpeakerphone(_ enabled: Bool) throws {
        try step(enabled ? "speaker" : "ear") { atTheEar = !enabled }
    }

    /// What was done since the last look.
    func look() -> [String] {
        defer { log = [] }
        return log
    }

    private func step(_ what: String, effect: () -> Void = {}) throws {
        log.append(what)
        // Whoever waits for the step finds it done.
        defer { steps.push(what) }
        if refuses.contains(what) { throw Refused() }
        effect()
    }
}

final class FakeNetwork: SystemNetwork, @unchecked Sendable {
    private(set) var path: (@Sendable (Bool, [String]) -> Void)!

    func start(_ path: @escaping @Sendable (Bool, [String]) -> Void) {
        self.path = path
        path(true, ["en0"])
    }
}
