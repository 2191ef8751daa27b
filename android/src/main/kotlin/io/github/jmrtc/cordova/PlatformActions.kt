package io.github.jmrtc.cordova

import io.github.jmrtc.core.Engine
import io.github.jmrtc.core.PlatformAction
import io.github.jmrtc.core.PlatformEvent

/** Does what the engine asks of the system. On the main thread. */
internal class PlatformActions(
    private val engine: Engine,
    private val microphone: MicrophonePermission,
    private val router: AudioRouter,
    private val service: CallService.Switch,
) {
    /** Returns when the engine has ended, with everything given back. */
    suspend fun run() {
        try {
            while (true) carryOut(engine.nextPlatformAction() ?: return)
        } finally {
            end()
        }
    }

    private fun carryOut(action: PlatformAction) = when (action) {
        PlatformAction.RequestMicrophone -> microphone.ask { granted -> engine.platformEvent(PlatformEvent.Microphone(granted)) }
        // The page shows the call and rings, at CallReceiveInvite.
        is PlatformAction.ShowIncoming, is PlatformAction.DismissIncoming -> Unit
        is PlatformAction.CallStarted -> {
            service.on(action.call)
            router.start()
        }
        is PlatformAction.CallEnded -> end()
        is PlatformAction.SetSpeakerphone -> router.setSpeakerphone(action.enabled)
    }

    private fun end() {
        router.stop()
        service.off()
    }
}
