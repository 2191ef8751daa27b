package io.github.jmrtc.cordova

import android.content.Context
import android.os.Handler
import android.os.Looper
import io.github.jmrtc.core.AudioBackend
import io.github.jmrtc.core.Engine
import io.github.jmrtc.core.EngineConfig
import io.github.jmrtc.core.PlatformEvent
import java.io.File
import java.util.UUID
import java.util.concurrent.Executor
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch

/** The engine of the app's process and the two loops that pull from it. Outlives pages and Activities. */
internal class CallSession private constructor(context: Context, serverUrl: String?) {
    init {
        NativeContext.give(context)
    }

    private val engine = Engine.start(EngineConfig(deviceId = deviceId(context), audio = audio, serverUrl = serverUrl))
    val microphone = MicrophonePermission(context) { page }
    private val actions = PlatformActions(engine, microphone, AudioRouter(context), CallService.Switch(context))
    private val network = NetworkWatch(context) { engine.platformEvent(PlatformEvent.NetworkChanged) }
    private val loops = listOf(
        CoroutineScope(Dispatchers.Default).launch { EventPump(engine) { page }.run() },
        CoroutineScope(mainThread).launch { actions.run() },
    )

    init {
        network.start()
    }

    /** Calls a method; its answer goes to the page. False once the engine has stopped. */
    fun command(id: String, method: String, args: String): Boolean = engine.command(id, method, args)

    /** As the person wishes, at the notification. */
    fun hangUp() = engine.platformEvent(PlatformEvent.Declined)

    /** Leaves the call, signs out, gives everything back. */
    suspend fun stop() {
        engine.stop()
        loops.joinAll()
        network.stop()
        engine.close()
    }

    companion object {
        /** Tests put files in the place of microphone and loudspeaker. */
        var audio: AudioBackend = AudioBackend.Device

        @Volatile
        var page: Page? = null
            private set

        @Volatile
        var current: CallSession? = null
            private set

        /** This process's; made when first asked for, and anew where the engine has ended. */
        @Synchronized
        fun get(context: Context, serverUrl: String?): CallSession =
            current?.takeIf { session -> session.loops.all { it.isActive } } ?: CallSession(context, serverUrl).also { current = it }

        /** The page that replies and events go to from now on. */
        fun open(opened: Page) {
            page = opened
        }

        /** The page is gone, with its Activity; another may have come before. */
        fun close(closed: Page) {
            if (page == closed) page = null
            current?.microphone?.gone(closed)
        }

        private val mainThread = Handler(Looper.getMainLooper()).let { Executor(it::post) }.asCoroutineDispatcher()

        /** Names this installation. Kept out of backups: on another phone it would be another device. */
        private fun deviceId(context: Context): String {
            val file = File(context.noBackupFilesDir, "jmrtc-device")
            if (!file.exists()) file.writeText(UUID.randomUUID().toString())
            return file.readText()
        }
    }
}
