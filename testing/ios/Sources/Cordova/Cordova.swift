// Stand-in for CordovaLib: what the plugin uses of it, with the types that Swift sees of cordova-ios 8 and Capacitor 8.
// Where the two differ the harsher one is here.
import Foundation

public enum CDVCommandStatus: UInt {
    case noResult, ok, classNotFoundException, illegalAccessException, instantiationException, malformedUrlException,
        ioException, invalidAction, jsonException, error
}

open class CDVPluginResult {
    public let status: NSNumber!
    public let message: Any!
    public var keepCallback: NSNumber!

    // Capacitor's header says nothing about null.
    public init!(status: CDVCommandStatus, messageAs message: String!) {
        self.status = NSNumber(value: status.rawValue)
        self.message = message
        keepCallback = NSNumber(value: false)
    }
}

open class CDVInvokedUrlCommand {
    public let arguments: [Any]!
    public let callbackId: String!
    public let className: String!
    public let methodName: String!

    public init(arguments: [Any]!, callbackId: String!, className: String!, methodName: String!) {
        self.arguments = arguments
        self.callbackId = callbackId
        self.className = className
        self.methodName = methodName
    }
}

public protocol CDVCommandDelegate: AnyObject {
    // cordova-ios: CDVSettingsDictionary, an NSDictionary; Capacitor: [AnyHashable: Any]!. Both take a string in brackets.
    var settings: [AnyHashable: Any]! { get }
    func send(_ result: CDVPluginResult!, callbackId: String!)
}

open class CDVPlugin: NSObject {
    public weak var commandDelegate: (any CDVCommandDelegate)!

    open func pluginInitialize() {}
    open func onAppTerminate() {}
    open func onReset() {}
    open func dispose() {
        commandDelegate = nil
    }
}
