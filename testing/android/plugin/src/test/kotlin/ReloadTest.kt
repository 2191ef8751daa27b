import android.media.AudioManager
import java.io.File
import java.lang.ref.WeakReference
import kotlin.test.Test
import kotlin.test.assertEquals
import org.json.JSONObject
import org.junit.After
import org.junit.runner.RunWith
import org.robolectric.ParameterizedRobolectricTestRunner
import org.robolectric.ParameterizedRobolectricTestRunner.Parameters
import org.robolectric.RuntimeEnvironment

/** The page or its Activity goes away in a call and comes back: the call goes on, events from before do not come back. */
@RunWith(ParameterizedRobolectricTestRunner::class)
class ReloadTest(private val framework: Framework) {
    private val audio = RuntimeEnvironment.getApplication().getSystemService(AudioManager::class.java)!!
    private val remembered get() = File(app.context.noBackupFilesDir, "jmrtc-memory")
    private lateinit var app: App
    private lateinit var peer: Phone

    @After
    fun end() {
        app.kill()
        peer.close()
    }

    private fun connect(test: String): String {
        peer = Phone("peer-$test")
        app = App("app-$test", framework = framework).ready()
        val session = app.callForObject("startCallUsers", """{"usernames":["peer-$test"]}""")
        peer.expect("CallReceiveInvite")
        peer.call("accept")
        listOf("CallOutgoing", "CallConnecting", "CallMemberJoin", "CallConnected").forEach(app::expect)
        listOf("CallConnecting", "CallMemberJoin", "CallConnected").forEach(peer::expect)
        return session.getString("channelId")
    }

    /** The new page sees the call, and what happens from now on, in order. */
    private fun goesOn(channelId: String) {
        app.diary.clear()
        assertEquals(channelId, app.callForObject("getState").getJSONObject("session").getString("channelId"))
        assertEquals(AudioManager.MODE_IN_COMMUNICATION, audio.mode)
        app.call("setIsMuted", """{"muted":true}""")
        val kept = JSONObject(remembered.readText()).let { it.getJSONObject(it.keys().next()) }
        assertEquals(channelId, kept.getString("mutedIn"), "should the system kill the app now")
        peer.call("hangup")
        assertEquals("hangup", app.expect("CallMemberLeave").getString("reason"))
        app.expect("CallDisconnect")
        assertEquals(false, remembered.exists())
        assertEquals("getState setIsMuted CallMemberLeave CallDisconnect", app.diary.joinToString(" "))
    }

    @Test
    fun `the page is loaded again`() {
        val channelId = connect("reload")
        app.load()
        goesOn(channelId)
    }

    @Test
    fun `the Activity is made anew`() {
        val channelId = connect("recreate")
        app.close()
        app.open()
        goesOn(channelId)
    }

    /** On a change of configuration the new Activity may come before the old one's end. */
    @Test
    fun `the old Activity ends after the new one has begun`() {
        val channelId = connect("overlap")
        val endOld = app.handOver()
        endOld()
        goesOn(channelId)
    }

    @Test
    fun `an answer for the page before, and events while none listens, reach nobody`() {
        val channelId = connect("gap")
        app.exec("setIsMuted", """["{\"muted\":true}"]""")
        app.close()
        peer.call("hangup")
        until({ "the end of the call" }) { audio.mode == AudioManager.MODE_NORMAL }
        app.diary.clear()
        app.open()
        assertEquals(true, app.callForObject("getState").isNull("session"), channelId)
        assertEquals("getState", app.diary.joinToString(" "))
    }

    @Test
    fun `an Activity that has ended is not kept`() {
        connect("kept")
        val ended = WeakReference(app.window.get())
        app.close()
        until({ "the garbage collector" }) {
            System.gc()
            ended.get() == null
        }
    }

    companion object {
        @JvmStatic
        @Parameters(name = "{0}")
        fun frameworks() = Framework.entries
    }
}
