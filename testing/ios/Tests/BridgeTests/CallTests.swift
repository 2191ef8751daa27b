import Foundation
import JmrtcCore
import XCTest
@testable import JmrtcBridge

/// Real calls through a real server. The order of everything is that of docs/call-semantics.md, section 5.
final class CallTests: XCTestCase {
    private func speech(_ who: String) -> AudioBackend {
        .wav(play: environment("JMRTC_SPEECH_\(who.uppercased())"), record: heard(who), repeat: false)
    }

    private func heard(_ who: String) -> String { "\(environment("JMRTC_OUT"))/\(who)-heard.wav" }

    private func connect(_ caller: App, _ callee: App) async throws {
        try await caller.call("startCallUsers", #"{"usernames":["\#(callee.user)"]}"#)
        try await caller.expect("CallOutgoing")
        try await callee.expect("CallReceiveInvite")
        try await callee.call("accept")
        for app in [caller, callee] {
            try await app.expect("CallConnecting")
            try await app.expect("CallMemberJoin")
            try await app.expect("CallConnected")
        }
    }

    private func hangUpBoth(_ caller: App, _ callee: App) async throws {
        try await caller.call("hangup")
        let ended = try await caller.expect("CallDisconnect")
        XCTAssertEqual(ended["reason"] as? String, "hangup")
        try await callee.expect("CallMemberLeave")
        let told = try await callee.expect("CallDisconnect")
        XCTAssertEqual(told["reason"] as? String, "hangup")
    }

    /// The script compares what was heard with what was said.
    func testTwoTalkToEachOther() async throws {
        let alice = try await App("alice", sound: speech("alice")).ready()
        let bob = try await App("bob", sound: speech("bob")).ready()
        XCTAssertEqual([alice.microphone.asked, bob.microphone.asked], [1, 1])
        XCTAssertEqual(alice.audio.log, [], "the audio session is touched before a call")

        let session = object(try await alice.call("startCallUsers", #"{"usernames":["bob"]}"#))
        XCTAssertEqual(members(session, "invitingMembers"), ["bob"])
        XCTAssertEqual(members(session, "joinedMembers"), ["alice"])
        XCTAssertEqual((session["failed"] as? [Any])?.count, 0)
        try await alice.expect("CallOutgoing")

        let rung = try await bob.expect("CallReceiveInvite")
        XCTAssertEqual(rung["channelId"] as? String, session["channelId"] as? String)
        XCTAssertEqual(bob.audio.log, [], "the audio session is taken before the person has accepted")
        try await bob.call("accept")
        for app in [alice, bob] { await app.expectAudio("activate") }

        let connecting = try await alice.expect("CallConnecting")
        XCTAssertEqual(members(connecting, "joinedMembers"), ["alice", "bob"])
        let joined = try await alice.expect("CallMemberJoin")
        XCTAssertEqual(joined["username"] as? String, "bob")
        try await bob.expect("CallConnecting")
        let there = try await bob.expect("CallMemberJoin")
        XCTAssertEqual(there["username"] as? String, "alice")
        let since = try await alice.expect("CallConnected")["startTime"] as? Int
        XCTAssertGreaterThan(since ?? 0, 0)
        let too = try await bob.expect("CallConnected")["startTime"] as? Int
        XCTAssertEqual(since, too)

        // The sentences take about five seconds, in real time.
        try await Task.sleep(nanoseconds: UInt64(environment("JMRTC_SPEECH_MS"))! * 1_000_000)
        try await hangUpBoth(alice, bob)
        for app in [alice, bob] {
            await app.expectAudio("deactivate")
            await app.expectAudio("category ambient")
        }

        let caller = "startCallUsers CallOutgoing CallConnecting CallMemberJoin CallConnected hangup CallDisconnect"
        XCTAssertEqual(alice.diary.joined(separator: " "), caller)
        let callee =
            "CallReceiveInvite accept CallConnecting CallMemberJoin CallConnected CallMemberLeave CallDisconnect"
        XCTAssertEqual(bob.diary.joined(separator: " "), callee)
        alice.stop()
        bob.stop()
        for who in ["alice", "bob"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: heard(who))
            XCTAssertGreaterThan(attributes[.size] as? Int ?? 0, 100_000, who)
        }
    }

    func testSpeakerphoneAndMuteInACall() async throws {
        let carol = try await App("carol").ready()
        let dave = try await App("dave").ready()
        try await connect(carol, dave)
        await carol.expectAudio("activate")
        try await carol.call("setIsSpeakerphoneEnabled", #"{"speakerphoneEnabled":true}"#)
        await carol.expectAudio("speaker")
        let speakerphone = try await carol.call("isSpeakerphoneEnabled")
        XCTAssertEqual(speakerphone, "true")
        // In Control Center the person chooses the ear.
        carol.audio.atTheEar = true
        carol.audio.listener?.routeChanged(.chosen)
        let left = try await carol.call("isSpeakerphoneEnabled")
        XCTAssertEqual(left, "false")
        try await carol.call("setIsSpeakerphoneEnabled", #"{"speakerphoneEnabled":true}"#)
        await carol.expectAudio("speaker")
        try await carol.call("setIsSpeakerphoneEnabled", #"{"speakerphoneEnabled":false}"#)
        await carol.expectAudio("ear")
        try await carol.call("setIsMuted", #"{"muted":true}"#)
        let muted = try await carol.call("isMuted")
        XCTAssertEqual(muted, "true")
        try await dave.expect("CallMemberMuted")
        // Should the system kill the app now.
        let remembered = carol.folder.appendingPathComponent("jmrtc-memory")
        XCTAssertFalse(try String(contentsOf: remembered, encoding: .utf8).isEmpty)

        // A telephone call comes and goes: the call is still there after it, and has its sound.
        carol.audio.listener?.interrupted(began: true)
        carol.audio.listener?.interrupted(began: false)
        await carol.expectAudio("activate")
        let state = object(try await carol.call("getState"))
        XCTAssertEqual(state["call"] as? String, "connected")
        try await hangUpBoth(carol, dave)
        XCTAssertFalse(FileManager.default.fileExists(atPath: remembered.path))
        carol.stop()
        dave.stop()
    }

    func testACallIsRefused() async throws {
        let erin = try await App("erin").ready()
        let frank = try await App("frank").ready()
        try await erin.call("startCallUsers", #"{"usernames":["frank"]}"#)
        try await erin.expect("CallOutgoing")
        try await frank.expect("CallReceiveInvite")
        let again = try await erin.fails("startCallUsers", #"{"usernames":["frank"]}"#)
        XCTAssertEqual(again, 871008)
        let accepted = try await erin.fails("accept")
        XCTAssertEqual(accepted, 871002)
        let invited = try await erin.fails("inviteUsers", #"{"usernames":["echo"]}"#)
        XCTAssertEqual(invited, 871002)
        try await frank.call("refuse")
        for app in [frank, erin] {
            if app === erin {
                let left = try await app.expect("CallMemberLeave")
                XCTAssertEqual(left["reason"] as? String, "refuse")
            }
            let ended = try await app.expect("CallDisconnect")
            XCTAssertEqual(ended["reason"] as? String, "refuse")
        }
        XCTAssertEqual(frank.diary, ["CallReceiveInvite", "refuse", "CallDisconnect"])
        XCTAssertEqual(frank.audio.log, [], "the audio session is taken though nobody accepted")
        erin.stop()
        frank.stop()
    }

    func testAThirdIsInvited() async throws {
        let grace = try await App("grace").ready()
        let heidi = try await App("heidi").ready()
        try await connect(grace, heidi)
        let result = object(try await heidi.call("inviteUsers", #"{"usernames":["echo","nobody"]}"#))
        XCTAssertEqual(result["invited"] as? [String], ["echo"])
        XCTAssertEqual(members(result, "failed"), ["nobody"])
        let others = try await grace.expect("CallOtherUserInvited")
        XCTAssertEqual(members(others, "invitedUsers"), ["echo"])
        XCTAssertEqual((others["fromUser"] as? [String: Any])?["username"] as? String, "heidi")
        for app in [grace, heidi] {
            let joined = try await app.expect("CallMemberJoin")
            XCTAssertEqual(joined["username"] as? String, "echo")
        }
        try await heidi.call("hangup")
        try await heidi.expect("CallDisconnect")
        try await grace.expect("CallMemberLeave")
        try await grace.call("hangup")
        grace.stop()
        heidi.stop()
    }

    func testTheCallOutlivesThePage() async throws {
        let ivy = try await App("ivy").ready()
        let jack = try await App("jack").ready()
        try await connect(ivy, jack)
        ivy.unload()
        // Told to nobody: the page that comes asks for the state.
        try await jack.call("inviteUsers", #"{"usernames":["echo"]}"#)
        try await jack.expect("CallMemberJoin")
        await ivy.waitUntil {
            members(object(try await $0.call("getState"))["session"] as! [String: Any], "joinedMembers").count == 3
        }
        ivy.load()
        let state = object(try await ivy.call("getState"))
        XCTAssertEqual(state["call"] as? String, "connected")
        try await jack.call("hangup")
        let left = try await ivy.expect("CallMemberLeave")
        XCTAssertEqual((left["user"] as? [String: Any])?["username"] as? String, "jack")
        try await ivy.call("hangup")
        ivy.stop()
        jack.stop()
    }

    func testSignedInElsewhere() async throws {
        let kate = try await App("kate", deviceId: "one").ready()
        let again = App("kate", deviceId: "one")
        _ = try await again.login()
        let error = try await kate.expect("CallError")
        XCTAssertNotNil(error["code"] as? Int)
        kate.stop()
        again.stop()
    }

    func testAChangedNetwork() async throws {
        let liam = try await App("liam").ready()
        let mona = try await App("mona").ready()
        try await connect(liam, mona)
        // Wi-Fi to cellular. The engine tries its connections anew and the call goes on.
        liam.network.path(true, ["pdp_ip0"])
        await liam.waitUntil { object(try await $0.call("getState"))["call"] as? String == "connected" }
        try await liam.call("hangup")
        try await mona.expect("CallMemberLeave")
        liam.stop()
        mona.stop()
    }
}

extension App {
    /// Looks until it is so.
    func waitUntil(_ isSo: (App) async throws -> Bool) async {
        let end = Date() + patience
        while Date() < end {
            if (try? await isSo(self)) == true { return }
            try? await Task.sleep(nanoseconds: 20_000_000)
        }
        XCTFail("\(user): never so; had \(diary.suffix(20))")
    }
}
