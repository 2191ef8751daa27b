import AVFoundation
import JmrtcBridge

/// The microphone's permission.
final class Microphone: SystemMicrophone {
    var explained: Bool {
        Bundle.main.object(forInfoDictionaryKey: "NSMicrophoneUsageDescription") != nil
    }

    func request(_ answer: @escaping @Sendable (Bool) -> Void) {
        // Not AVCaptureDevice: an app that refers to it is asked by the store what its camera is for.
        AVAudioSession.sharedInstance().requestRecordPermission(answer)
    }
}
