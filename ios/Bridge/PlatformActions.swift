import JmrtcCore

/// Does what the engine asks of the system.
struct PlatformActions: Sendable {
    let engine: Engine
    let microphone: MicrophonePermission
    let router: AudioRouter

    /// Returns when the engine has ended, with everything given back.
    func run() async {
        while let action = await engine.nextPlatformAction() { carryOut(action) }
        router.stop()
    }

    private func carryOut(_ action: PlatformAction) {
        switch action {
        case .requestMicrophone: microphone.ask { [engine] in engine.platformEvent(event: .microphone(granted: $0)) }
        // The page shows the call and rings, at CallReceiveInvite.
        case .showIncoming, .dismissIncoming: break
        case .callStarted: router.start()
        case .callEnded: router.stop()
        case .setSpeakerphone(let enabled): router.setSpeakerphone(enabled)
        }
    }
}
