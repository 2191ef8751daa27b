import Foundation
import JmrtcCore
import XCTest
@testable import JmrtcBridge

/// Every method with its good and bad answers; what needs a call is in `CallTests`.
final class MethodsTests: XCTestCase {
    private func expect(_ app: App, _ method: String, _ arguments: Any..., fails code: Int, line: UInt = #line)
        async throws
    {
        let failed = arguments.isEmpty ? try await app.fails(method) : try await app.fails(method, arguments[0])
        XCTAssertEqual(failed, code, "\(method) \(arguments)", line: line)
    }

    private func expect(_ app: App, _ method: String, _ arguments: Any..., answers json: String, line: UInt = #line)
        async throws
    {
        let answer = arguments.isEmpty ? try await app.call(method) : try await app.call(method, arguments[0])
        XCTAssertEqual(answer, json, "\(method) \(arguments)", line: line)
    }

    func testEachMethodAnswersInOrder() async throws {
        let app = App("nora")
        try await expect(app, "init", answers: "{}")
        try await expect(app, "initEngine", fails: 871004)
        try await expect(app, "updateToken", #"{"token":"x"}"#, fails: 871004)
        try await expect(app, "login", fails: 871003)
        try await expect(app, "login", #"{"token":7}"#, fails: 871003)
        try await expect(app, "login", #"{"token":"a.b.c"}"#, fails: 871005)
        let login = object(try await app.login())
        XCTAssertEqual(login["username"] as? String, "nora")
        XCTAssertEqual(login["appKey"] as? String, "e2e")

        try await expect(app, "startCallUsers", #"{"usernames":["echo"]}"#, fails: 871006)
        try await expect(app, "isMuted", fails: 871006)
        try await expect(app, "initEngine", answers: "null")
        try await expect(app, "initEngine", answers: "null")
        XCTAssertEqual(app.microphone.asked, 1)

        for (name, key) in [("Muted", "muted"), ("SpeakerphoneEnabled", "speakerphoneEnabled")] {
            try await expect(app, "is\(name)", answers: "false")
            try await expect(app, "setIs\(name)", #"{"\#(key)":true}"#, answers: "{}")
            try await expect(app, "is\(name)", answers: "true")
            try await expect(app, "setIs\(name)", #"{"\#(key)":"yes"}"#, fails: 871003)
            let state = object(try await app.call("getState"))
            XCTAssertEqual(state[key] as? Bool, true)
        }

        let bad: [Any] = [
            "", "[]", "{}", #"{"usernames":[]}"#, #"{"usernames":["nora"]}"#, #"{"usernames":[7]}"#, "{", NSNull(), 7,
            ["usernames": ["echo"]],
        ]
        for arguments in bad { try await expect(app, "startCallUsers", arguments, fails: 871003) }
        try await expect(app, "startCallUsers", #"{"usernames":["nobody"]}"#, fails: 871102)
        for method in ["accept", "refuse"] { try await expect(app, method, fails: 871002) }
        try await expect(app, "inviteUsers", #"{"usernames":["echo"]}"#, fails: 871002)
        try await expect(app, "hangup", answers: "{}")
        try await expect(app, "dance", fails: 871003)
        try await expect(app, "updateToken", #"{"token":"\#(try await Server.token("nora"))"}"#, answers: "{}")

        let me = object(try await app.call("updateMyInfo", #"{"nickname":"Nora N."}"#))
        XCTAssertEqual(me["nickname"] as? String, "Nora N.")
        let echo = object(try await app.call("updateRelation", #"{"username":"echo","noteName":"Parrot"}"#))
        XCTAssertEqual(echo["noteName"] as? String, "Parrot")
        let info = object(try await app.call("getUserInfo", #"{"usernames":["nora","nobody"]}"#))
        XCTAssertEqual((info["users"] as? [Any])?.count, 1)
        XCTAssertEqual((info["failed"] as? [Any])?.count, 1)
        try await expect(app, "getCallHistory", answers: #"{"calls":[],"more":false}"#)
        try await expect(app, "updateRelation", #"{"username":"nora"}"#, fails: 871003)
        try await expect(app, "getCallHistory", #"{"limit":0}"#, fails: 871003)

        // Many at once are answered, each.
        app.forgetDiary()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 1...200 { group.addTask { _ = try await app.call("isMuted") } }
            try await group.waitForAll()
        }
        XCTAssertEqual(app.diary.count, 200)

        try await expect(app, "releaseEngine", answers: "{}")
        try await expect(app, "isMuted", fails: 871006)
        try await expect(app, "logout", answers: "{}")
        let state = object(try await app.call("getState"))
        XCTAssertEqual(state["login"] as? String, "loggedOut")
        app.stop()
    }

    func testARefusedMicrophoneFailsInitEngineAndIsAskedForAgain() async throws {
        let app = App("olga", granted: false)
        _ = try await app.login()
        try await expect(app, "initEngine", fails: 871101)
        XCTAssertEqual(app.microphone.asked, 1)
        // The person has changed their mind in Settings.
        app.microphone.granted = true
        try await expect(app, "initEngine", answers: "null")
        XCTAssertEqual(app.microphone.asked, 2)
        app.stop()
    }

    func testWithoutAWordInInfoPlistTheSystemIsNotAsked() async throws {
        let app = App("peter")
        app.microphone.explained = false
        _ = try await app.login()
        try await expect(app, "initEngine", fails: 871101)
        XCTAssertEqual(app.microphone.asked, 0)
        app.stop()
    }

    func testSoundThatCantBeHad() async throws {
        let app = App("quentin", sound: .wav(play: "/does/not/exist.wav", record: nil, repeat: false))
        _ = try await app.login()
        try await expect(app, "initEngine", fails: 871007)
        app.stop()
    }

    func testAServerThatIsNotThere() async throws {
        let app = App("rita")
        try await expect(app, "login", #"{"token":"x","serverUrl":"http://127.0.0.1:9"}"#, fails: 871001)
        app.stop()
    }

    func testAnEngineThatCantBeMade() async throws {
        let app = App("sam", deviceId: "")
        try await expect(app, "init", fails: 871007)
        app.stop()
    }

    func testAfterTheEndThereIsANewBeginning() async throws {
        let app = try await App("tina").ready()
        app.stop()
        await app.waitUntil { object(try await $0.call("getState"))["login"] as? String == "loggedOut" }
        _ = try await app.ready()
        app.stop()
    }

    func testAVersion() {
        XCTAssertNotNil(version().range(of: #"^\d+\.\d+\.\d+$"#, options: .regularExpression))
    }
}
