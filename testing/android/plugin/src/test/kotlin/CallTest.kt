import io.github.jmrtc.core.AudioBackend
import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.After
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** Real calls from the page through CordovaLib, plugin, core and server to a phone. The order is that of docs/call-semantics.md, section 5. */
@RunWith(RobolectricTestRunner::class)
class CallTest {
    private lateinit var app: App

    @After
    fun end() = app.kill()

    private val out = System.getProperty("jmrtc.out")
    private fun speech(who: String) = System.getProperty("jmrtc.speech.$who")

    /** The script compares what was heard with what was said. */
    @Test
    fun `two people talk to each other`() {
        app = App("alice", AudioBackend.Wav(play = speech("alice"), record = "$out/alice-heard.wav", repeat = false)).ready()
        Phone("bob", "--play", speech("bob"), "--record", "$out/bob-heard.wav").use { bob ->
            val session = app.callForObject("startCallUsers", """{"usernames":["bob"]}""")
            assertEquals(listOf("bob"), session.names("invitingMembers"))
            assertEquals(listOf("alice"), session.names("joinedMembers"))
            assertEquals(session.getString("channelId"), app.expect("CallOutgoing").getString("channelId"))
            bob.expect("CallReceiveInvite")
            bob.call("accept")
            assertEquals(listOf("alice", "bob"), app.expect("CallConnecting").names("joinedMembers"))
            assertEquals("bob", app.expect("CallMemberJoin").getString("username"))
            assertTrue(app.expect("CallConnected").getLong("startTime") > 0)
            listOf("CallConnecting", "CallMemberJoin", "CallConnected").forEach(bob::expect)

            val since = System.nanoTime()
            until({ "the end of the sentences" }) { System.nanoTime() - since > System.getProperty("jmrtc.speech.ms").toLong() * 1_000_000 }
            app.call("hangup")
            assertEquals("hangup", app.expect("CallDisconnect").getString("reason"))
            bob.expect("CallMemberLeave")
            bob.expect("CallDisconnect")
            val diary = "startCallUsers CallOutgoing CallConnecting CallMemberJoin CallConnected hangup CallDisconnect"
            assertEquals(diary, app.diary.joinToString(" "))
        }
        app.call("logout")
        for (who in listOf("alice", "bob")) assertTrue(File("$out/$who-heard.wav").length() > 100_000, who)
    }
}
