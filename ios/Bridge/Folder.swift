import Foundation

/// Where this installation keeps what is its own.
public enum Folder {
    /// Made in `parent`, out of backups: another phone is another device, and in none of this one's calls.
    public static func own(in parent: URL) -> URL {
        var folder = parent.appendingPathComponent("jmrtc", isDirectory: true)
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            #if canImport(Darwin)
            var values = URLResourceValues()
            values.isExcludedFromBackup = true
            try folder.setResourceValues(values)
            #endif
        } catch {
            NSLog("JMRTC: nothing can be kept: %@", "\(error)")
        }
        return folder
    }
}
