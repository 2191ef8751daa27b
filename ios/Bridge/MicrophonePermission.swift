import Foundation

/// What the system says about the microphone.
public protocol SystemMicrophone: AnyObject, Sendable {
    /// Info.plist says what the microphone is for. The system ends an app that asks without.
    var explained: Bool { get }
    /// Asks the person, once; later answers as the person has decided then or in Settings. On any thread.
    func request(_ answer: @escaping @Sendable (_ granted: Bool) -> Void)
}

/// The person's permission to use the microphone.
struct MicrophonePermission: Sendable {
    let system: any SystemMicrophone

    /// Tells whether it is granted; the person is asked before unless that is settled.
    func ask(_ answer: @escaping @Sendable (_ granted: Bool) -> Void) {
        guard system.explained else {
            NSLog("JMRTC: no microphone: Info.plist has no NSMicrophoneUsageDescription")
            return answer(false)
        }
        system.request(answer)
    }
}
