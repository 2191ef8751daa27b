import AVFoundation
import Cordova
import JmrtcBridge
import Network
import UIKit
import XCTest
@testable import JmrtcCordova

/// The shells against stand-ins for what they are shells of.
final class ShellTests: XCTestCase {
    private final class Delegate: CDVCommandDelegate {
        let settings: [AnyHashable: Any]! = ["jmrtc_server_url": "http://127.0.0.1:9"]
        let sent = XCTestExpectation(description: "a result")
        var results: [(id: String, result: CDVPluginResult)] = []

        func send(_ result: CDVPluginResult!, callbackId: String!) {
            results.append((callbackId, result))
            sent.fulfill()
        }
    }

    private func exec(
        _ plugin: JmrtcPlugin, _ action: (CDVInvokedUrlCommand) -> Void, _ name: String, _ arguments: [Any] = []
    ) -> (id: String, result: CDVPluginResult)? {
        let delegate = Delegate()
        plugin.commandDelegate = delegate
        action(
            CDVInvokedUrlCommand(
                arguments: arguments, callbackId: "JMRTC-\(name)", className: "JMRTC", methodName: name))
        guard XCTWaiter().wait(for: [delegate.sent], timeout: 20) == .completed else { return nil }
        return delegate.results.first
    }

    func testThePluginForwardsAndAnswers() throws {
        let plugin = JmrtcPlugin()
        plugin.pluginInitialize()
        let done = try XCTUnwrap(exec(plugin, plugin.initialise, "init"))
        XCTAssertEqual(done.id, "JMRTC-init")
        XCTAssertEqual(done.result.status, 1)
        XCTAssertEqual(done.result.message as? String, "{}")
        XCTAssertEqual(done.result.keepCallback, false)

        let failed = try XCTUnwrap(exec(plugin, plugin.initEngine, "initEngine"))
        XCTAssertEqual(failed.result.status, 9)
        XCTAssertTrue("\(failed.result.message!)".contains("871004"), "\(failed.result.message!)")

        // Nobody listens at the preference's port: it was the one asked.
        let lost = try XCTUnwrap(exec(plugin, plugin.login, "login", [#"{"token":"x"}"#]))
        XCTAssertTrue("\(lost.result.message!)".contains("871001"), "\(lost.result.message!)")
        plugin.dispose()
        plugin.onAppTerminate()
    }

    func testAnEventKeepsItsCallback() throws {
        let plugin = JmrtcPlugin()
        let delegate = Delegate()
        plugin.commandDelegate = delegate
        plugin.send(callbackId: "events", ok: true, json: "{}", keep: true)
        XCTAssertEqual(delegate.results.first?.result.keepCallback, true)
        XCTAssertEqual(delegate.results.first?.id, "events")
        // A WebView that is gone.
        plugin.commandDelegate = nil
        plugin.send(callbackId: "events", ok: true, json: "{}", keep: true)
    }

    private final class Listener: SystemAudioListener, @unchecked Sendable {
        let heard = XCTestExpectation(description: "all notifications")
        private(set) var log: [String] = []

        func interrupted(began: Bool) { hear("interrupted \(began)") }
        func routeChanged(_ why: RouteChange) { hear("route \(why)") }
        func mediaServicesReset() { hear("reset") }
        func appBecameActive() { hear("active") }

        private func hear(_ what: String) {
            log.append(what)
            if log.count == 7 { heard.fulfill() }
        }
    }

    func testTheAudioSession() throws {
        let shell = AudioSession()
        let system = AVAudioSession.sharedInstance()
        let before = shell.setting
        XCTAssertNotEqual(before, shell.forCalls)
        system.done = []
        try shell.set(shell.forCalls)
        XCTAssertEqual(shell.setting, shell.forCalls)
        try shell.setActive(true)
        try shell.setSpeakerphone(true)
        try shell.setSpeakerphone(false)
        try shell.setActive(false)
        try shell.set(before)
        XCTAssertEqual(
            system.done,
            [
                "AVAudioSessionCategoryPlayAndRecord AVAudioSessionModeVoiceChat 4", "active true 1",
                "override speaker",
                "override none", "active false 1", "AVAudioSessionCategorySoloAmbient AVAudioSessionModeDefault 0",
            ])
        XCTAssertTrue(shell.atTheEar)
        system.currentRoute = AVAudioSessionRouteDescription(outputs: [
            AVAudioSessionPortDescription(portType: .builtInSpeaker)
        ])
        XCTAssertFalse(shell.atTheEar)

        let listener = Listener()
        shell.listener = listener
        let post = { (name: Notification.Name, info: [AnyHashable: Any]?) in
            NotificationCenter.default.post(name: name, object: system, userInfo: info)
        }
        post(
            AVAudioSession.interruptionNotification,
            [AVAudioSessionInterruptionTypeKey: AVAudioSession.InterruptionType.began.rawValue])
        post(
            AVAudioSession.interruptionNotification,
            [AVAudioSessionInterruptionTypeKey: AVAudioSession.InterruptionType.ended.rawValue])
        let reasons: [AVAudioSession.RouteChangeReason] = [.oldDeviceUnavailable, .override, .categoryChange]
        for reason in reasons {
            post(AVAudioSession.routeChangeNotification, [AVAudioSessionRouteChangeReasonKey: reason.rawValue])
        }
        post(AVAudioSession.mediaServicesWereResetNotification, nil)
        post(UIApplication.didBecomeActiveNotification, nil)
        wait(for: [listener.heard], timeout: 20)
        XCTAssertEqual(
            listener.log,
            [
                "interrupted true", "interrupted false", "route deviceGone", "route chosen", "route other", "reset",
                "active",
            ])
    }

    func testTheNetworkPath() throws {
        final class Seen: @unchecked Sendable { var paths: [String] = [] }
        let seen = Seen()
        let shell = NetworkPath()
        shell.start { seen.paths.append("\($0) \($1)") }
        let monitor = try XCTUnwrap(NWPathMonitor.started.last)
        let wifi = NWPath(
            status: .satisfied, availableInterfaces: [NWInterface(name: "en0"), NWInterface(name: "pdp_ip0")],
            gateways: [.unix(path: "b"), .unix(path: "a")])
        monitor.pathUpdateHandler?(wifi)
        monitor.pathUpdateHandler?(NWPath(status: .unsatisfied, availableInterfaces: [], gateways: []))
        XCTAssertEqual(seen.paths.count, 2)
        XCTAssertTrue(seen.paths[0].hasPrefix(#"true ["en0", "pdp_ip0""#), seen.paths[0])
        XCTAssertEqual(seen.paths[1], "false []")
    }

    func testTheMicrophone() {
        let shell = Microphone()
        XCTAssertFalse(shell.explained, "a test has no Info.plist")
        let answered = XCTestExpectation(description: "an answer")
        shell.request { _ in answered.fulfill() }
        wait(for: [answered], timeout: 20)
    }

    /// The stores refuse a manifest without one of the four.
    func testThePrivacyManifest() throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().pathComponents.dropLast(5).joined(
            separator: "/")
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(root)/ios/System/PrivacyInfo.xcprivacy"))
        let manifest = try XCTUnwrap(PropertyListSerialization.propertyList(from: data, format: nil) as? [String: Any])
        XCTAssertEqual(
            manifest.keys.sorted(),
            [
                "NSPrivacyAccessedAPITypes", "NSPrivacyCollectedDataTypes", "NSPrivacyTracking",
                "NSPrivacyTrackingDomains",
            ])
        XCTAssertEqual(manifest["NSPrivacyTracking"] as? Bool, false)
        for api in try XCTUnwrap(manifest["NSPrivacyAccessedAPITypes"] as? [[String: Any]]) {
            XCTAssertNotNil(api["NSPrivacyAccessedAPIType"] as? String)
            XCTAssertFalse(try XCTUnwrap(api["NSPrivacyAccessedAPITypeReasons"] as? [String]).isEmpty)
        }
    }
}
