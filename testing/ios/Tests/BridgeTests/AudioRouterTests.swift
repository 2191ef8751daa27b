import XCTest
@testable import JmrtcBridge

/// The audio session from call to call, against one that misbehaves.
final class AudioRouterTests: XCTestCase {
    private let audio = FakeAudio()
    private lazy var router = {
        let router = AudioRouter(system: audio)
        router.loudspeakerLeft = { [left] in left.value += 1 }
        return router
    }()
    private let left = Count()
    private let claimed = ["category playAndRecord", "activate", "ear"]

    private func expect(_ steps: [String], line: UInt = #line) {
        XCTAssertEqual(audio.look(), steps, line: line)
    }

    func testTakenForACallAndGivenBack() {
        router.setSpeakerphone(true)
        router.routeChanged(.other)
        router.appBecameActive()
        router.mediaServicesReset()
        router.interrupted(began: true)
        router.interrupted(began: false)
        router.stop()
        expect([])
        router.setSpeakerphone(false)
        router.start()
        router.start()
        expect(claimed)
        router.setSpeakerphone(true)
        expect(["speaker"])
        router.stop()
        router.stop()
        expect(["deactivate", "category ambient"])
        router.start()
        expect(claimed)
    }

    func testAnInterruption() {
        router.start()
        router.setSpeakerphone(true)
        _ = audio.look()
        router.interrupted(began: true)
        router.setSpeakerphone(false)
        router.setSpeakerphone(true)
        router.routeChanged(.other)
        expect([])
        router.interrupted(began: false)
        expect(["category playAndRecord", "activate", "speaker"])
        // One without an end: the person comes back to the app.
        router.interrupted(began: true)
        router.appBecameActive()
        router.appBecameActive()
        expect(["category playAndRecord", "activate", "speaker"])
        // The call ends meanwhile.
        router.interrupted(began: true)
        router.stop()
        _ = audio.look()
        router.interrupted(began: false)
        router.appBecameActive()
        expect([])
    }

    func testRefusedDuringATelephoneCall() {
        audio.refuses = ["activate"]
        router.start()
        expect(["category playAndRecord", "activate"])
        router.setSpeakerphone(true)
        expect([])
        audio.refuses = []
        router.interrupted(began: false)
        expect(["category playAndRecord", "activate", "speaker"])
        audio.refuses = ["deactivate"]
        router.stop()
        expect(["deactivate", "category ambient"])
        XCTAssertEqual(audio.setting, FakeAudio.ambient)
    }

    func testAnotherPartOfTheAppChangesTheCategory() {
        router.start()
        _ = audio.look()
        router.routeChanged(.other)
        expect([])
        // The system's own addition is no reason, or there would be no end of it.
        audio.setting = AudioSetting(category: "playAndRecord", mode: "voiceChat", options: 36)
        router.routeChanged(.other)
        expect([])
        audio.setting = AudioSetting(category: "playback", mode: "default", options: 0)
        router.routeChanged(.other)
        expect(claimed)
    }

    func testAHeadsetIsPluggedAndPulled() {
        router.start()
        router.setSpeakerphone(true)
        _ = audio.look()
        audio.atTheEar = false
        router.routeChanged(.other)
        expect([])
        audio.atTheEar = true
        router.routeChanged(.deviceGone)
        expect(["speaker"])
        // Our own choice is heard of, too.
        router.routeChanged(.chosen)
        router.setSpeakerphone(false)
        _ = audio.look()
        router.routeChanged(.chosen)
        router.routeChanged(.deviceGone)
        expect([])
        XCTAssertEqual(left.value, 0)
    }

    func testThePersonLeavesTheLoudspeakerInControlCenter() {
        router.start()
        router.setSpeakerphone(true)
        _ = audio.look()
        audio.atTheEar = true
        router.routeChanged(.other)
        XCTAssertEqual(left.value, 0)
        router.routeChanged(.chosen)
        router.routeChanged(.chosen)
        XCTAssertEqual(left.value, 1)
        router.routeChanged(.deviceGone)
        expect([])
    }

    func testTheSystemsSoundStartsAnew() {
        router.start()
        _ = audio.look()
        router.mediaServicesReset()
        expect(claimed)
    }
}
