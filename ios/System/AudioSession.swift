import AVFoundation
import JmrtcBridge
import UIKit

/// The app's `AVAudioSession`. It decides nothing: `AudioRouter` does.
final class AudioSession: SystemAudio, @unchecked Sendable {
    weak var listener: (any SystemAudioListener)?

    let forCalls = AudioSetting(
        category: AVAudioSession.Category.playAndRecord.rawValue,
        mode: AVAudioSession.Mode.voiceChat.rawValue,
        options: AVAudioSession.CategoryOptions.allowBluetooth.rawValue
    )

    private let session = AVAudioSession.sharedInstance()
    // The listener may wait for the session, which takes its time; whoever posts a notification shall not.
    private let queue = DispatchQueue(label: "io.github.jmrtc.audio-session")

    init() {
        on(AVAudioSession.interruptionNotification, AVAudioSessionInterruptionTypeKey) { listener, interruption in
            listener.interrupted(began: interruption == AVAudioSession.InterruptionType.began.rawValue)
        }
        on(AVAudioSession.routeChangeNotification, AVAudioSessionRouteChangeReasonKey) { listener, reason in
            let reasons: [UInt: RouteChange] = [
                AVAudioSession.RouteChangeReason.oldDeviceUnavailable.rawValue: .deviceGone,
                AVAudioSession.RouteChangeReason.override.rawValue: .chosen,
            ]
            listener.routeChanged(reason.flatMap { reasons[$0] } ?? .other)
        }
        on(AVAudioSession.mediaServicesWereResetNotification) { listener, _ in listener.mediaServicesReset() }
        on(UIApplication.didBecomeActiveNotification) { listener, _ in listener.appBecameActive() }
    }

    var setting: AudioSetting {
        AudioSetting(
            category: session.category.rawValue, mode: session.mode.rawValue, options: session.categoryOptions.rawValue)
    }

    var atTheEar: Bool {
        session.currentRoute.outputs.contains { $0.portType == .builtInReceiver }
    }

    func set(_ setting: AudioSetting) throws {
        try session.setCategory(
            AVAudioSession.Category(rawValue: setting.category),
            mode: AVAudioSession.Mode(rawValue: setting.mode),
            options: AVAudioSession.CategoryOptions(rawValue: setting.options)
        )
    }

    func setActive(_ active: Bool) throws {
        try session.setActive(active, options: .notifyOthersOnDeactivation)
    }

    func setSpeakerphone(_ enabled: Bool) throws {
        try session.overrideOutputAudioPort(enabled ? .speaker : .none)
    }

    /// For the life of the process, as this object is. `detail`: what of the notification is wanted.
    private func on(
        _ name: Notification.Name, _ detail: String = "",
        _ tell: @escaping @Sendable (any SystemAudioListener, _ detail: UInt?) -> Void
    ) {
        _ = NotificationCenter.default.addObserver(forName: name, object: nil, queue: nil) { [weak self, queue] note in
            let value = note.userInfo?[detail] as? UInt
            queue.async { [weak self] in self?.listener.map { tell($0, value) } }
        }
    }
}
