package io.github.jmrtc.cordova

import io.github.jmrtc.core.Engine
import io.github.jmrtc.core.Message

/** Forwards replies and events to the page there is, one loop for both: that is what keeps them in the engine's order. */
internal class EventPump(private val engine: Engine, private val page: () -> Page?) {
    /** Returns when the engine has ended. */
    suspend fun run() {
        while (true) {
            when (val message = engine.nextMessage() ?: return) {
                is Message.Reply -> page()?.reply(message.id, message.ok, message.json)
                is Message.Event -> page()?.event(message.json)
            }
        }
    }
}
