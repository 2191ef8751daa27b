import Foundation
import XCTest
@testable import JmrtcBridge

final class Count: @unchecked Sendable { var value = 0 }

final class NetworkWatchTests: XCTestCase {
    func testWhatIsAChange() {
        let count = Count()
        let watch = NetworkWatch { count.value += 1 }
        let story: [(connected: Bool, ways: [String], changes: Int)] = [
            (true, ["en0", "192.168.1.1"], 0),
            (true, ["en0", "192.168.1.1"], 0),
            (true, ["en0", "10.0.0.1"], 1),
            (true, ["pdp_ip0"], 2),
            (false, [], 2),
            (false, ["en0"], 2),
            (true, ["pdp_ip0"], 3),
        ]
        for (step, (connected, ways, changes)) in story.enumerated() {
            watch.path(connected: connected, through: ways)
            XCTAssertEqual(count.value, changes, "step \(step)")
        }
    }

    func testStartedWithoutANetwork() {
        let count = Count()
        let watch = NetworkWatch { count.value += 1 }
        watch.path(connected: false, through: [])
        watch.path(connected: true, through: ["en0"])
        XCTAssertEqual(count.value, 1)
    }
}

final class DeviceIdTests: XCTestCase {
    func testKept() throws {
        let parent = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: parent) }
        let folder = Folder.own(in: parent)
        let made = DeviceId.kept(in: folder)
        XCTAssertNotNil(UUID(uuidString: made))
        XCTAssertEqual(DeviceId.kept(in: folder), made)
        try Data().write(to: folder.appendingPathComponent("jmrtc-device"))
        XCTAssertNotNil(UUID(uuidString: DeviceId.kept(in: folder)))
    }

    func testAFolderThatCantBeMade() {
        let nowhere = Folder.own(in: URL(fileURLWithPath: "/dev/null"))
        XCTAssertNotNil(UUID(uuidString: DeviceId.kept(in: nowhere)))
    }
}
