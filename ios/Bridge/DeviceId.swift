import Foundation

/// Names this installation.
public enum DeviceId {
    /// Kept in a file of `folder`.
    public static func kept(in folder: URL) -> String {
        let file = folder.appendingPathComponent("jmrtc-device")
        if let kept = try? String(contentsOf: file, encoding: .utf8), !kept.isEmpty { return kept }
        let made = UUID().uuidString.lowercased()
        do {
            try made.write(to: file, atomically: true, encoding: .utf8)
        } catch {
            NSLog("JMRTC: the device's name can't be kept: %@", "\(error)")
        }
        return made
    }
}
