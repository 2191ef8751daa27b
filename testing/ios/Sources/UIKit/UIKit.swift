// Stand-in for UIKit: what the shells use of it.
@_exported import Foundation

public final class UIApplication {
    public static let didBecomeActiveNotification = Notification.Name("UIApplicationDidBecomeActiveNotification")
}
