/// What the bridge wants of the operating system; `ios/System` has it from Apple's frameworks.
public struct System {
    public let microphone: any SystemMicrophone
    public let audio: any SystemAudio
    public let network: any SystemNetwork

    public init(microphone: any SystemMicrophone, audio: any SystemAudio, network: any SystemNetwork) {
        self.microphone = microphone
        self.audio = audio
        self.network = network
    }
}
