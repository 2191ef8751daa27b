package io.github.jmrtc.cordova

import android.content.Context
import android.os.Handler
import android.os.Looper
import io.github.jmrtc.core.AudioBackend
import io.github.jmrtc.core.Engine
import io.github.jmrtc.core.EngineConfig
import io.github.jmrtc.core.PlatformEvent
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicReference
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

    private val engine = Engine.start(
        EngineConfig(
            deviceId = DeviceId.kept(context.noBackupFilesDir),
            audio = audio,
            serverUrl = serverUrl,
            folder = context.noBackupFilesDir.path,
        ),
    )
    val microphone = MicrophonePermission(context, opened::get)
    private val router = AudioRouter(context)
    private val actions = PlatformActions(engine, microphone, router, CallService.Switch(context))
    private val network = NetworkWatch(context) { engine.platformEvent(PlatformEvent.NetworkChanged) }
    private val loops = listOf(
        CoroutineScope(Dispatchers.Default).launch { EventPump(engine, opened::get).run() },
        CoroutineScope(mainThread).launch { actions.run() },
    )

    init {
        network.start()
        // The engine is not closed but left to the garbage collector: on a closed one a late call throws.
        CoroutineScope(Dispatchers.Default).launch {
            loops.joinAll()
            network.stop()
            ended(this@CallSession)
        }
    }

    /** Calls a method; its answer goes to the page. False once the engine has stopped. */
    fun command(id: String, method: String, args: String): Boolean = engine.command(id, method, args)

    /** As the person wishes, at the notification of that stay in that call. */
    fun hangUp(channelId: String, stay: UInt) = engine.platformEvent(PlatformEvent.Declined(channelId, stay))

    /** The person looks at the app. On the main thread. */
    fun appBecameActive() = router.appBecameActive()

    /** Leaves the call, signs out; then everything is given back. */
    suspend fun stop() = engine.stop()

    companion object {
        /** Tests put files in the place of microphone and loudspeaker. */
        var audio: AudioBackend = AudioBackend.Device

        // Cordova makes a page's plugin on a thread of its own, and ends it on the main thread.
        private val opened = AtomicReference<Page?>()

        @Volatile
        var current: CallSession? = null
            private set

        /** This process's; made when first asked for, and anew where the engine has ended. */
        @Synchronized
        fun get(context: Context, serverUrl: String?): CallSession = current ?: CallSession(context, serverUrl).also { current = it }

        @Synchronized
        private fun ended(session: CallSession) {
            if (current == session) current = null
        }

        /** The page that replies and events go to from now on. */
        fun open(page: Page) = opened.set(page)

        /** The page is gone, with its Activity; another may have come before. On the main thread. */
        fun close(page: Page) {
            opened.compareAndSet(page, null)
            current?.microphone?.gone(page)
        }

        private val mainThread = Handler(Looper.getMainLooper()).let { Executor(it::post) }.asCoroutineDispatcher()
    }
}
