import Foundation
import JmrtcCore
import XCTest
@testable import JmrtcBridge
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// Longest wait for anything that must happen.
let patience = 20.0

/// What never happened.
struct Never: Error, CustomStringConvertible {
    let description: String
}

/// A failure callback's value.
struct Failed: Error {
    let code: Int
    let json: String
}

/// Grows, and is waited on by one.
final class Inbox<Item: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var items: [Item] = []
    private var waiter: (number: Int, continuation: CheckedContinuation<Item?, Swift.Never>)?
    private var count = 0

    func push(_ item: Item) {
        let waiting = lock.withLock { () -> CheckedContinuation<Item?, Swift.Never>? in
            defer { waiter = nil }
            if waiter == nil { items.append(item) }
            return waiter?.continuation
        }
        waiting?.resume(returning: item)
    }

    /// The next item; none when there is none in time.
    func next(within seconds: Double = patience) async -> Item? {
        await withCheckedContinuation { continuation in
            let (number, item) = lock.withLock { () -> (Int, Item?) in
                count += 1
                if !items.isEmpty { return (count, items.removeFirst()) }
                waiter = (count, continuation)
                return (count, nil)
            }
            if let item { return continuation.resume(returning: item) }
            Task {
                try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
                let late = lock.withLock { () -> CheckedContinuation<Item?, Swift.Never>? in
                    guard let waiting = waiter, waiting.number == number else { return nil }
                    waiter = nil
                    return waiting.continuation
                }
                late?.resume(returning: nil)
            }
        }
    }
}

/// An event as JavaScript sees it.
struct Event: @unchecked Sendable {
    let name: String
    let payload: [String: Any]
}

/// The app's page in its WebView: what `www/src/cordova.ts` does, over the bridge's own logic and the real engine.
final class App: WebView, @unchecked Sendable {
    let user: String
    let session: CallSession
    let microphone: FakeMicrophone
    let audio = FakeAudio()
    let network = FakeNetwork()
    let folder: URL
    let events = Inbox<Event>()

    private let lock = NSLock()
    private var waiting: [String: (method: String, inbox: Inbox<Result<String, Failed>>)] = [:]
    private var entries: [String] = []
    private var loads = 0
    private var page: Page!

    init(_ user: String, sound: AudioBackend = .silent, granted: Bool = true, deviceId: String? = nil) {
        self.user = user
        microphone = FakeMicrophone(granted: granted)
        let system = System(microphone: microphone, audio: audio, network: network)
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try! FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        session = CallSession(system: system, deviceId: deviceId ?? "swift-\(user)", folder: folder, audio: sound)
        load()
    }

    /// Loads the page: another plugin instance, other callback ids.
    func load() {
        page = Page(webView: self)
        session.open(page)
        loads += 1
        page.listen(callbackId: "events-\(loads)")
    }

    /// The page is being left; the next is not there yet.
    func unload() {
        loads += 1
    }

    /// Replies as `accept` or `accept 871103`, events as their names, in the order in which they came.
    var diary: [String] { lock.withLock { entries } }

    func forgetDiary() { lock.withLock { entries = [] } }

    func send(callbackId: String, ok: Bool, json: String, keep: Bool) {
        if keep {
            // As Cordova's JavaScript.
            guard callbackId == "events-\(loads)" else { return }
            XCTAssertTrue(ok)
            let event = parse(json) as! [String: Any]
            let name = event["name"] as! String
            // They depend on what is said and on the machine, not on what is done.
            if ["CallActiveSpeakers", "CallQuality"].contains(name) { return }
            lock.withLock { entries.append(name) }
            return events.push(Event(name: name, payload: event["payload"] as! [String: Any]))
        }
        if callbackId == "INVALID" { return }
        let asked = lock.withLock { waiting.removeValue(forKey: callbackId) }
        guard let (method, inbox) = asked else { return XCTFail("a second reply: \(callbackId) \(json)") }
        let code = ok ? nil : (parse(json) as! [String: Any])["code"] as? Int
        lock.withLock { entries.append(code.map { "\(method) \($0)" } ?? method) }
        inbox.push(ok ? .success(json) : .failure(Failed(code: code!, json: json)))
    }

    /// Calls a method of `window.JMRTC`; the answer as JSON text.
    @discardableResult
    func call(_ method: String, _ arguments: Any...) async throws -> String {
        let inbox = Inbox<Result<String, Failed>>()
        let id = UUID().uuidString
        lock.withLock { waiting[id] = (method, inbox) }
        session.command(from: page, id: id, method: method, arguments: arguments, serverUrl: " \(Server.url) ")
        guard let answer = await inbox.next() else { throw Never(description: "\(user): \(method) was never answered") }
        return try answer.get()
    }

    /// Calls a method that must fail; the failure's number.
    func fails(_ method: String, _ arguments: Any...) async throws -> Int {
        do {
            let value = arguments.isEmpty ? try await call(method) : try await call(method, arguments[0])
            throw Never(description: "\(user): \(method) \(arguments) succeeded with \(value)")
        } catch let failed as Failed {
            return failed.code
        }
    }

    func login() async throws -> String {
        try await call("login", #"{"token":"\#(try await Server.token(user))"}"#)
    }

    /// As far as an app is when it waits for calls.
    func ready() async throws -> App {
        _ = try await login()
        try await call("initEngine")
        forgetDiary()
        return self
    }

    /// The next event, which must be this one; its payload.
    @discardableResult
    func expect(_ name: String) async throws -> [String: Any] {
        guard let event = await events.next() else { throw Never(description: "\(user): no \(name); had \(diary)") }
        guard event.name == name else {
            throw Never(description: "\(user): \(event.name) in place of \(name): \(diary)")
        }
        return event.payload
    }

    /// Waits until the bridge has done this to the audio session.
    func expectAudio(_ step: String, file: StaticString = #filePath, line: UInt = #line) async {
        while let done = await audio.steps.next() {
            if done == step { return }
        }
        XCTFail("\(user): the audio session was never told to \(step)", file: file, line: line)
    }

    func stop() {
        session.stop()
        XCTAssertTrue(lock.withLock { waiting.isEmpty }, "\(user): never answered")
    }
}

func parse(_ json: String) -> Any {
    try! JSONSerialization.jsonObject(with: Data(json.utf8), options: [.fragmentsAllowed])
}

func object(_ json: String) -> [String: Any] { parse(json) as! [String: Any] }

/// The usernames in a session's list of members.
func members(_ session: [String: Any], _ key: String) -> [String] {
    (session[key] as! [[String: Any]]).map { $0["username"] as! String }
}

/// The `jmrtc-server --dev` that the script has started.
enum Server {
    static let url = environment("JMRTC_SERVER")

    static func token(_ user: String) async throws -> String {
        var request = URLRequest(url: URL(string: "\(url)/v1/dev/token")!)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "content-type")
        request.httpBody = Data(#"{"user":"\#(user)"}"#.utf8)
        let (data, response) = try await URLSession.shared.data(for: request)
        guard (response as? HTTPURLResponse)?.statusCode == 200 else {
            throw Never(description: "no token for \(user): \(response)")
        }
        return object(String(decoding: data, as: UTF8.self))["token"] as! String
    }
}

func environment(_ name: String) -> String {
    guard let value = ProcessInfo.processInfo.environment[name] else {
        fatalError("no \(name): run `npm run test:ios`")
    }
    return value
}
