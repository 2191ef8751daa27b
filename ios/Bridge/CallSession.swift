import Foundation
import JmrtcCore

/// The engine of the app's process and the two loops that pull from it. Outlives pages.
public final class CallSession: @unchecked Sendable {
    private let system: System
    private let audio: AudioBackend
    private let deviceId: String
    private let folder: URL?
    private let router: AudioRouter
    private let lock = NSLock()
    private var page: Page?
    private var engine: Engine?

    /// `folder`: where the engine keeps what must outlive the process. `audio`: tests put files in the place of microphone
    /// and loudspeaker.
    public init(system: System, deviceId: String, folder: URL? = nil, audio: AudioBackend = .device) {
        self.system = system
        self.audio = audio
        self.deviceId = deviceId
        self.folder = folder
        router = AudioRouter(system: system.audio)
        system.audio.listener = router
        router.loudspeakerLeft = { [weak self] in self?.loudspeakerLeft() }
        let network = NetworkWatch { [weak self] in self?.current.engine?.platformEvent(event: .networkChanged) }
        system.network.start { network.path(connected: $0, through: $1) }
    }

    /// The page that replies and events go to from now on.
    public func open(_ opened: Page) {
        lock.withLock { page = opened }
    }

    /// The page is gone; another may have come before.
    public func close(_ closed: Page) {
        lock.withLock {
            if page === closed { page = nil }
        }
    }

    /// Calls a method; its answer goes to the page. `serverUrl`: where `login` goes when it names no server.
    public func command(from page: Page, id: String, method: String, arguments: [Any], serverUrl: String?) {
        do {
            if try !running(serverUrl: serverUrl).command(id: id, method: method, args: argument(arguments)) {
                page.reply(callbackId: id, ok: false, json: failure("the engine has stopped"))
            }
        } catch {
            page.reply(callbackId: id, ok: false, json: failure("\(error)"))
        }
    }

    /// The app ends: leaves the call and signs out, or the others would wait out the grace time. Blocks until that is
    /// done, three seconds at most.
    public func stop() {
        guard let engine = current.engine else { return }
        let stopped = DispatchSemaphore(value: 0)
        Task.detached {
            await engine.stop()
            stopped.signal()
        }
        _ = stopped.wait(timeout: .now() + 3)
    }

    /// This process's; made when first asked for, and anew where the engine has ended.
    private func running(serverUrl: String?) throws -> Engine {
        try lock.withLock {
            if let engine { return engine }
            let url = serverUrl?.trimmingCharacters(in: .whitespaces) ?? ""
            let made = try Engine.start(
                config: EngineConfig(
                    deviceId: deviceId, audio: audio, serverUrl: url.isEmpty ? nil : url, folder: folder?.path))
            engine = made
            start(made)
            return made
        }
    }

    private func start(_ engine: Engine) {
        let pump = EventPump(engine: engine) { [weak self] in self?.current.page }
        let actions = PlatformActions(
            engine: engine, microphone: MicrophonePermission(system: system.microphone), router: router)
        Task.detached(priority: .userInitiated) { [weak self] in
            await pump.run()
            self?.ended(engine)
        }
        Task.detached(priority: .userInitiated) { await actions.run() }
    }

    /// As if the page had said so. The id is Cordova's own for a call whose answer nobody waits for.
    private func loudspeakerLeft() {
        let off = #"{"speakerphoneEnabled":false}"#
        _ = current.engine?.command(id: "INVALID", method: "setIsSpeakerphoneEnabled", args: off)
    }

    private func ended(_ ended: Engine) {
        lock.withLock {
            if engine === ended { engine = nil }
        }
    }

    private var current: (page: Page?, engine: Engine?) { lock.withLock { (page, engine) } }
}

/// The method's one argument as JSON text, empty for none. What is no text goes on as something that the engine refuses.
private func argument(_ arguments: [Any]) -> String {
    switch arguments.first {
    case nil, is NSNull: ""
    case let text as String: text
    case let other?: "\(other) is no text"
    }
}

/// The failure callback's value where no engine can give one.
private func failure(_ why: String) -> String {
    let failure: [String: Any] = ["code": 871007, "name": "ENGINE_FAILED", "description": why]
    // Strings and a number always have JSON.
    return try! String(decoding: JSONSerialization.data(withJSONObject: failure), as: UTF8.self)
}
