import Foundation

/// A category with its mode and options, in the system's own words.
public struct AudioSetting: Equatable, Sendable {
    public let category: String
    public let mode: String
    public let options: UInt

    public init(category: String, mode: String, options: UInt) {
        self.category = category
        self.mode = mode
        self.options = options
    }

    /// The system adds options of its own.
    func isLike(_ other: AudioSetting) -> Bool {
        category == other.category && mode == other.mode
    }
}

/// The app's one audio session, as the system has it. May be used from any thread, one at a time.
public protocol SystemAudio: AnyObject, Sendable {
    /// What a call needs.
    var forCalls: AudioSetting { get }
    /// What is set.
    var setting: AudioSetting { get }
    /// Sound comes out at the ear.
    var atTheEar: Bool { get }
    /// Gets what happens to the session, on any thread.
    var listener: (any SystemAudioListener)? { get set }
    /// Sets a category; nobody else's sound changes for it.
    func set(_ setting: AudioSetting) throws
    /// Takes the sound for this app, or gives it back and lets others go on.
    func setActive(_ active: Bool) throws
    /// Loudspeaker, or where the system sends sound by itself.
    func setSpeakerphone(_ enabled: Bool) throws
}

/// Why sound goes another way.
public enum RouteChange: Sendable {
    /// What played is gone, as a headset that was pulled.
    case deviceGone
    /// Somebody has chosen between ear and loudspeaker: we, or the person in Control Center.
    case chosen
    case other
}

/// What happens to the audio session.
public protocol SystemAudioListener: AnyObject, Sendable {
    /// Something more important, as a telephone call, has taken the sound (`began`), or has ended.
    func interrupted(began: Bool)
    /// Another route, another category, or both.
    func routeChanged(_ why: RouteChange)
    /// The system's sound was started anew: nothing holds that was set.
    func mediaServicesReset()
    /// The person looks at the app.
    func appBecameActive()
}

/// Takes the system's sound for a call, leads it to earpiece or loudspeaker, and gives it back. The only one in this
/// plugin to activate the audio session. May be called from any thread.
public final class AudioRouter: SystemAudioListener, @unchecked Sendable {
    private let system: any SystemAudio
    private let lock = NSLock()
    private var inCall = false
    /// The session is active, as far as we were told.
    private var active = false
    private var speakerphone = false
    /// What the app had set before the call.
    private var before: AudioSetting?
    /// The person has left the loudspeaker by the system's own means.
    var loudspeakerLeft: (@Sendable () -> Void)?

    public init(system: any SystemAudio) {
        self.system = system
    }

    func start() {
        lock.withLock {
            guard !inCall else { return }
            inCall = true
            before = system.setting
            claim()
        }
    }

    func stop() {
        lock.withLock {
            guard inCall else { return }
            inCall = false
            active = false
            speakerphone = false
            attempt("deactivate") { try system.setActive(false) }
            if let before { attempt("restore the category") { try system.set(before) } }
            before = nil
        }
    }

    func setSpeakerphone(_ enabled: Bool) {
        lock.withLock {
            speakerphone = enabled
            if active { route() }
        }
    }

    /// An end means that the sound may be had again. Whether the system suggests to go on is for players of music.
    public func interrupted(began: Bool) {
        lock.withLock {
            active = false
            if inCall && !began { claim() }
        }
    }

    /// Another part of the app, or a page's own sound, has set the category to its own liking; or a headset is gone, and
    /// with it the way to the loudspeaker. A person who has left the loudspeaker is not put back.
    public func routeChanged(_ why: RouteChange) {
        let left = lock.withLock {
            guard active else { return false }
            guard system.setting.isLike(system.forCalls) else {
                claim()
                return false
            }
            guard speakerphone && system.atTheEar else { return false }
            if why == .deviceGone { route() }
            speakerphone = why != .chosen
            return !speakerphone
        }
        if left { loudspeakerLeft?() }
    }

    public func mediaServicesReset() {
        lock.withLock {
            active = false
            if inCall { claim() }
        }
    }

    /// Not every interruption has an end.
    public func appBecameActive() {
        lock.withLock {
            if inCall && !active { claim() }
        }
    }

    /// Refused, as during a telephone call, it may still come later; the call goes on meanwhile.
    private func claim() {
        active = attempt("activate") {
            try system.set(system.forCalls)
            try system.setActive(true)
        }
        if active { route() }
    }

    private func route() {
        attempt("route") { try system.setSpeakerphone(speakerphone) }
    }

    @discardableResult
    private func attempt(_ what: String, _ action: () throws -> Void) -> Bool {
        do {
            try action()
            return true
        } catch {
            NSLog("JMRTC: the audio session does not %@: %@", what, "\(error)")
            return false
        }
    }
}
