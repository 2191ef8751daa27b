// swift-tools-version:5.9
import Foundation
import PackageDescription

let core = "ios/JmrtcCoreFFI.xcframework"
if !FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/\(core)") {
    let why = "cordova-plugin-jmrtc: no \(core): take a released package, or build it with scripts/build-ios\n"
    FileHandle.standardError.write(Data(why.utf8))
    exit(1)
}

// Names matter: Cordova looks for the plugin's id, Capacitor for the npm name, and both replace the one dependency by
// their own copy of it, by its text.
let package = Package(
    name: "cordova-plugin-jmrtc",
    platforms: [.iOS(.v13)],
    products: [
        .library(name: "cordova-plugin-jmrtc", targets: ["JmrtcCordova"])
    ],
    dependencies: [
        .package(url: "https://github.com/apache/cordova-ios.git", from: "8.0.0")
    ],
    targets: [
        .target(
            name: "JmrtcCordova",
            dependencies: ["JmrtcBridge", .product(name: "Cordova", package: "cordova-ios")],
            path: "ios/System",
            resources: [.copy("PrivacyInfo.xcprivacy")]
        ),
        .target(name: "JmrtcBridge", dependencies: ["JmrtcCore"], path: "ios/Bridge"),
        .target(
            name: "JmrtcCore",
            dependencies: ["JmrtcCoreFFI"],
            path: "bindings/generated/swift",
            exclude: ["JmrtcCoreFFI.h", "JmrtcCoreFFI.modulemap"],
            sources: ["JmrtcCore.swift"]
        ),
        .binaryTarget(name: "JmrtcCoreFFI", path: core),
    ],
    // The generated Swift is not for language mode 6 yet.
    swiftLanguageVersions: [.v5]
)
