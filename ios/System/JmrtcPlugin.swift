import Cordova
import Foundation
import JmrtcBridge

/// `exec(ok, fail, 'JMRTC', method, [jsonText])`: hands each method on to the engine, unread. The action `events` is no
/// method: its callback is kept and gets every event. One instance a WebView; the call itself outlives it in `CallSession`.
@objc(JmrtcPlugin)
public final class JmrtcPlugin: CDVPlugin, WebView {
    private static let folder = Folder.own(
        in: FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask)[0])
    private static let session = CallSession(
        system: System(microphone: Microphone(), audio: AudioSession(), network: NetworkPath()),
        deviceId: DeviceId.kept(in: folder), folder: folder)
    private lazy var page = Page(webView: self)

    override public func pluginInitialize() {
        super.pluginInitialize()
        Self.session.open(page)
    }

    override public func dispose() {
        Self.session.close(page)
        super.dispose()
    }

    override public func onAppTerminate() {
        Self.session.stop()
    }

    /// Cordova's delegate hops to the main thread, in order.
    public func send(callbackId: String, ok: Bool, json: String, keep: Bool) {
        let result: CDVPluginResult = CDVPluginResult(status: ok ? .ok : .error, messageAs: json)
        result.keepCallback = NSNumber(value: keep)
        commandDelegate?.send(result, callbackId: callbackId)
    }

    private func forward(_ command: CDVInvokedUrlCommand) {
        Self.session.command(
            from: page, id: command.callbackId, method: command.methodName, arguments: command.arguments,
            serverUrl: commandDelegate.settings["jmrtc_server_url"] as? String
        )
    }

    // Cordova calls an action by its selector, so each has a method here. A selector may begin with `init`: what returns
    // nothing is an ordinary method for Swift.
    @objc public func events(_ command: CDVInvokedUrlCommand) { page.listen(callbackId: command.callbackId) }
    @objc(init:) public func initialise(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func login(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func logout(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func updateToken(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func initEngine(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func releaseEngine(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func startCallUsers(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func accept(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func refuse(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func hangup(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func inviteUsers(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func isMuted(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func setIsMuted(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func isSpeakerphoneEnabled(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func setIsSpeakerphoneEnabled(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func getState(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func getUserInfo(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func updateMyInfo(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func updateRelation(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func getRelations(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func getCallHistory(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func getStats(_ command: CDVInvokedUrlCommand) { forward(command) }
    @objc public func preflight(_ command: CDVInvokedUrlCommand) { forward(command) }
}
