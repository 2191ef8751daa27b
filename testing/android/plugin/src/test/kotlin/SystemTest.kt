import android.app.Activity
import android.app.Notification
import android.app.PendingIntent
import android.content.Intent
import android.content.pm.ServiceInfo
import android.media.AudioAttributes
import android.media.AudioDeviceInfo
import android.media.AudioManager
import android.net.ConnectivityManager
import android.os.Build
import android.os.Looper
import io.github.jmrtc.cordova.CallService
import io.github.jmrtc.cordova.NativeContext
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.After
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ServiceController
import org.robolectric.annotation.Config
import org.robolectric.shadows.AudioDeviceInfoBuilder
import org.robolectric.shadows.ShadowNetwork

/** What a call takes of the system and gives back, on the newest and the oldest Android. */
@RunWith(RobolectricTestRunner::class)
class SystemTest {
    private val context = RuntimeEnvironment.getApplication()
    private val audio = context.getSystemService(AudioManager::class.java)!!
    private lateinit var app: App
    private lateinit var peer: Phone

    @After
    fun end() {
        app.kill()
        peer.close()
    }

    private fun start(test: String) {
        peer = Phone("peer-$test")
        app = App("app-$test").ready()
    }

    private fun connect(test: String) {
        app.call("startCallUsers", """{"usernames":["peer-$test"]}""")
        peer.expect("CallReceiveInvite")
        peer.call("accept")
        listOf("CallOutgoing", "CallConnecting", "CallMemberJoin", "CallConnected").forEach(app::expect)
    }

    private fun hangUp() {
        app.call("hangup")
        app.expect("CallDisconnect")
    }

    /** The system says so on a thread of its choice; then comes the main one's turn. */
    private fun tell(listener: AudioManager.OnAudioFocusChangeListener, change: Int, before: () -> Unit = {}) {
        thread { listener.onAudioFocusChange(change) }.join()
        before()
        shadowOf(Looper.getMainLooper()).idle()
    }

    /** Runs the service that was asked for, as the system would. */
    private fun runService(): ServiceController<CallService> {
        var intent: Intent? = null
        until({ "the service's start" }) {
            intent = shadowOf(context).nextStartedService
            intent != null
        }
        assertEquals(CallService::class.java.name, intent?.component?.className)
        return Robolectric.buildService(CallService::class.java, intent).create().startCommand(0, 1)
    }

    @Test
    fun `the service runs from accept to the end, for the microphone`() {
        start("service")
        peer.call("startCallUsers", """{"usernames":["app-service"]}""")
        app.expect("CallReceiveInvite")
        app.call("getState")
        assertNull(shadowOf(context).peekNextStartedService(), "no service while it rings")
        assertEquals(AudioManager.MODE_NORMAL, audio.mode)

        app.call("accept")
        val service = runService()
        assertEquals(ServiceInfo.FOREGROUND_SERVICE_TYPE_MICROPHONE, service.get().foregroundServiceType)
        val notification = shadowOf(service.get()).lastForegroundNotification
        assertEquals("peer-service", notification.extras.getString(Notification.EXTRA_TITLE))
        assertEquals("android.app.Notification\$CallStyle", notification.extras.getString(Notification.EXTRA_TEMPLATE))
        assertEquals(0, notification.flags and Notification.FLAG_FOREGROUND_SERVICE.inv() and Notification.FLAG_AUTO_CANCEL)
        assertFalse(shadowOf(service.get()).isStoppedBySelf)

        listOf("CallConnecting", "CallMemberJoin", "CallConnected").forEach(app::expect)
        hangUp()
        until({ "the service's end" }) { shadowOf(service.get()).isStoppedBySelf }
        service.destroy()
    }

    @Test
    fun `the notification's button hangs up`() {
        start("button")
        connect("button")
        val service = runService()
        val extras = shadowOf(service.get()).lastForegroundNotification.extras
        val button = extras.getParcelable(Notification.EXTRA_HANG_UP_INTENT, PendingIntent::class.java)
        val meant = shadowOf(button).savedIntent
        val stay = meant.data!!.fragment!!.toUInt()
        val channelId = app.callForObject("getState").getJSONObject("session").getString("channelId")
        for (data in listOf(null, CallService.data("of a call before", stay), CallService.data(channelId, stay + 1u))) {
            service.get().onStartCommand(Intent(CallService.HANG_UP, data), 0, 2)
            assertEquals("connected", app.callForObject("getState").getString("call"), "$data")
        }
        service.get().onStartCommand(meant, 0, 3)
        assertEquals("hangup", app.expect("CallDisconnect").getString("reason"))
        until({ "the service's end" }) { shadowOf(service.get()).isStoppedBySelf }
        service.destroy()
    }

    @Test
    fun `a call that is over before its service runs leaves none`() {
        start("short")
        app.call("startCallUsers", """{"usernames":["peer-short"]}""")
        app.expect("CallOutgoing")
        hangUp()
        until({ "the end of the call" }) { audio.mode == AudioManager.MODE_NORMAL }
        val service = runService()
        assertNotNull(shadowOf(service.get()).lastForegroundNotification, "the system insists on it")
        assertTrue(shadowOf(service.get()).isStoppedBySelf)
        service.destroy()
    }

    @Test
    fun `sound is taken for the call, taken again after a telephone call, and given back`() {
        val speaker = AudioDeviceInfoBuilder.newBuilder().setType(AudioDeviceInfo.TYPE_BUILTIN_SPEAKER).build()
        val earpiece = AudioDeviceInfoBuilder.newBuilder().setType(AudioDeviceInfo.TYPE_BUILTIN_EARPIECE).build()
        shadowOf(audio).setAvailableCommunicationDevices(listOf(earpiece, speaker))
        start("sound")
        assertNull(shadowOf(audio).lastAudioFocusRequest)
        connect("sound")
        val focus = shadowOf(audio).lastAudioFocusRequest.audioFocusRequest
        assertEquals(AudioManager.AUDIOFOCUS_GAIN_TRANSIENT, focus.focusGain)
        assertEquals(AudioAttributes.USAGE_VOICE_COMMUNICATION, focus.audioAttributes.usage)
        assertEquals(AudioManager.MODE_IN_COMMUNICATION, audio.mode)
        assertNull(audio.communicationDevice, "earpiece or headset: the system's choice")

        app.call("setIsSpeakerphoneEnabled", """{"speakerphoneEnabled":true}""")
        until({ "the loudspeaker" }) { audio.communicationDevice?.type == AudioDeviceInfo.TYPE_BUILTIN_SPEAKER }

        // A telephone call takes everything; afterwards it is ours again.
        val listener = focus.onAudioFocusChangeListener!!
        tell(listener, AudioManager.AUDIOFOCUS_LOSS_TRANSIENT)
        audio.mode = AudioManager.MODE_IN_CALL
        audio.clearCommunicationDevice()
        app.call("setIsSpeakerphoneEnabled", """{"speakerphoneEnabled":true}""")
        app.resume()
        tell(listener, AudioManager.AUDIOFOCUS_GAIN) {
            assertEquals(AudioManager.MODE_IN_CALL, audio.mode, "whatever thread it is told on, the main one acts")
            assertNull(audio.communicationDevice, "the telephone call's route is its own")
        }
        assertEquals(AudioManager.MODE_IN_COMMUNICATION, audio.mode)
        assertEquals(AudioDeviceInfo.TYPE_BUILTIN_SPEAKER, audio.communicationDevice?.type)

        app.call("setIsSpeakerphoneEnabled", """{"speakerphoneEnabled":false}""")
        until({ "the earpiece" }) { audio.communicationDevice == null }

        app.call("setIsSpeakerphoneEnabled", """{"speakerphoneEnabled":true}""")
        hangUp()
        until({ "the end of the call" }) { audio.mode == AudioManager.MODE_NORMAL }
        assertNull(audio.communicationDevice)
        assertEquals(listener, shadowOf(audio).lastAbandonedAudioFocusRequest.onAudioFocusChangeListener)
        // A late message of the system's takes nothing any more.
        tell(listener, AudioManager.AUDIOFOCUS_GAIN)
        assertEquals(AudioManager.MODE_NORMAL, audio.mode)
    }

    @Test
    fun `during a telephone call mode and route are left alone until the system gives the focus`() {
        shadowOf(audio).setNextFocusRequestResponse(AudioManager.AUDIOFOCUS_REQUEST_DELAYED)
        audio.mode = AudioManager.MODE_IN_CALL
        start("delayed")
        connect("delayed")
        app.resume()
        assertEquals(AudioManager.MODE_IN_CALL, audio.mode)
        tell(shadowOf(audio).lastAudioFocusRequest.audioFocusRequest.onAudioFocusChangeListener!!, AudioManager.AUDIOFOCUS_GAIN)
        assertEquals(AudioManager.MODE_IN_COMMUNICATION, audio.mode)
    }

    @Test
    fun `a focus that is lost for good is asked for again when the person comes back`() {
        start("loss")
        connect("loss")
        val listener = shadowOf(audio).lastAudioFocusRequest.audioFocusRequest.onAudioFocusChangeListener!!
        tell(listener, AudioManager.AUDIOFOCUS_LOSS)
        audio.mode = AudioManager.MODE_NORMAL
        app.resume()
        assertEquals(AudioManager.MODE_IN_COMMUNICATION, audio.mode)
    }

    @Test
    @Config(sdk = [Build.VERSION_CODES.N])
    fun `a focus that is refused on Android 7 is asked for again when the person comes back`() {
        shadowOf(audio).setNextFocusRequestResponse(AudioManager.AUDIOFOCUS_REQUEST_FAILED)
        audio.mode = AudioManager.MODE_IN_CALL
        start("refused")
        connect("refused")
        app.resume()
        assertEquals(AudioManager.MODE_IN_CALL, audio.mode)
        shadowOf(audio).setNextFocusRequestResponse(AudioManager.AUDIOFOCUS_REQUEST_GRANTED)
        app.resume()
        assertEquals(AudioManager.MODE_IN_COMMUNICATION, audio.mode)
    }

    @Test
    @Config(sdk = [Build.VERSION_CODES.N])
    @Suppress("DEPRECATION")
    fun `on Android 7`() {
        start("old")
        connect("old")
        val service = runService()
        val notification = shadowOf(service.get()).lastForegroundNotification
        assertEquals("peer-old", notification.extras.getString(Notification.EXTRA_TITLE))
        assertEquals(1, notification.actions.size)
        assertEquals(AudioManager.STREAM_VOICE_CALL, shadowOf(audio).lastAudioFocusRequest.streamType)
        assertEquals(AudioManager.MODE_IN_COMMUNICATION, audio.mode)
        app.call("setIsSpeakerphoneEnabled", """{"speakerphoneEnabled":true}""")
        until({ "the loudspeaker" }) { audio.isSpeakerphoneOn }
        audio.mode = AudioManager.MODE_IN_CALL
        tell(shadowOf(audio).lastAudioFocusRequest.listener, AudioManager.AUDIOFOCUS_GAIN) {
            assertEquals(AudioManager.MODE_IN_CALL, audio.mode)
        }
        assertEquals(AudioManager.MODE_IN_COMMUNICATION, audio.mode)
        hangUp()
        until({ "the end of the call" }) { audio.mode == AudioManager.MODE_NORMAL }
        assertFalse(audio.isSpeakerphoneOn)
        assertNotNull(shadowOf(audio).lastAbandonedAudioFocusListener)
        assertTrue(shadowOf(service.get()).isStoppedBySelf)
        service.destroy()
    }

    @Test
    fun `the core keeps the application, not the Activity that it was given`() {
        start("context")
        val activity = Robolectric.buildActivity(Activity::class.java).get()
        assertEquals("android.app.Application", NativeContext.give(activity)?.javaClass?.name)
    }

    @Test
    fun `an engine that has ended leaves nothing, and the next one begins`() {
        start("ended")
        connect("ended")
        val networks = shadowOf(context.getSystemService(ConnectivityManager::class.java)).networkCallbacks
        assertEquals(1, networks.size)
        app.kill()
        assertEquals(0, networks.size)
        assertEquals(AudioManager.MODE_NORMAL, audio.mode)
        assertEquals("loggedOut", app.callForObject("getState").getString("login"))
        assertEquals(1, networks.size)
    }

    @Test
    fun `another network is told to the engine, the one that there is is not`() {
        Proxy(Server.url).use { proxy ->
            peer = Phone("peer-network")
            app = App("app-network", serverUrl = proxy.url).ready()
            connect("network")
            val callback = shadowOf(context.getSystemService(ConnectivityManager::class.java)).networkCallbacks.single()
            callback.onAvailable(ShadowNetwork.newInstance(1))
            app.call("getState")
            assertEquals(1, proxy.accepted.get())
            callback.onAvailable(ShadowNetwork.newInstance(2))
            until({ "a new connection" }) { proxy.accepted.get() == 2 }
            app.call("hangup")
            until({ "the end" }) {
                app.look()
                app.diary.last() == "CallDisconnect"
            }
        }
    }
}
