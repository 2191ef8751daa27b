// swift-tools-version:5.9
// Tests on Linux: the generated Swift and the bridge's own logic over the real library, its shells over stand-ins for
// Apple's frameworks. `npm run test:ios` runs them. Sources are links to where an iOS app takes them from; the package
// that an app takes is at the root.
import PackageDescription

let package = Package(
    name: "jmrtc-ios-tests",
    targets: [
        .systemLibrary(name: "JmrtcCoreFFI"),
        .target(name: "JmrtcCore", dependencies: ["JmrtcCoreFFI"], linkerSettings: [.linkedLibrary("jmrtc")]),
        .target(name: "JmrtcBridge", dependencies: ["JmrtcCore"]),
        // Stand-ins.
        .target(name: "AVFoundation"),
        .target(name: "Cordova"),
        .target(name: "Network"),
        .target(name: "UIKit"),
        // Copies without @objc, which Swift has on Apple's systems only; the script makes them.
        .target(name: "JmrtcCordova", dependencies: ["JmrtcBridge", "AVFoundation", "Cordova", "Network", "UIKit"]),
        .testTarget(name: "BridgeTests", dependencies: ["JmrtcBridge"]),
        .testTarget(name: "ShellTests", dependencies: ["JmrtcCordova"]),
    ],
    swiftLanguageVersions: [.v5]
)
