import io.github.jmrtc.core.AudioBackend
import java.io.File
import kotlin.io.path.createTempDirectory
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import org.apache.cordova.PluginResult
import org.json.JSONObject
import org.junit.After
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** Every method and every event of the API, and what no page should say. */
@RunWith(RobolectricTestRunner::class)
class MethodsTest {
    private lateinit var app: App
    private val phones = mutableListOf<Phone>()

    @After
    fun end() {
        app.kill()
        phones.forEach(Phone::close)
    }

    private fun phone(user: String, vararg options: String) = Phone(user, *options).also { phones += it }

    private val nothing = "{}"

    @Test
    fun `methods without a call`() {
        app = App("methods")
        assertEquals(nothing, app.call("init").toString())
        assertEquals(871004, app.fails("initEngine"))
        assertEquals(871005, app.fails("login", """{"token":"made up"}"""))
        val token = Server.token("methods")
        assertEquals("methods", app.callForObject("login", """{"token":"$token"}""").getString("username"))
        assertEquals(871006, app.fails("isMuted"))
        assertEquals(JSONObject.NULL, app.call("initEngine"))
        assertEquals(JSONObject.NULL, app.call("initEngine"), "a repeated call succeeds at once")
        assertEquals(nothing, app.call("updateToken", """{"token":"$token"}""").toString())
        for ((method, key) in listOf("Muted" to "muted", "SpeakerphoneEnabled" to "speakerphoneEnabled")) {
            assertEquals(false, app.call("is$method"))
            assertEquals(nothing, app.call("setIs$method", """{"$key":true}""").toString())
            assertEquals(true, app.call("is$method"))
        }
        for (method in listOf("accept", "refuse")) assertEquals(871002, app.fails(method))
        assertEquals(nothing, app.call("hangup").toString(), "with nothing to end")
        assertEquals(871002, app.fails("inviteUsers", """{"usernames":["somebody"]}"""))
        assertEquals(871102, app.fails("startCallUsers", """{"usernames":["nobody of this name"]}"""))
        assertEquals("M.", app.callForObject("updateMyInfo", """{"nickname":"M."}""").getString("nickname"))
        assertEquals("Parrot", app.callForObject("updateRelation", """{"username":"echo","noteName":"Parrot"}""").getString("noteName"))
        assertEquals(1, app.callForObject("getUserInfo", """{"usernames":["methods"]}""").getJSONArray("users").length())
        assertEquals(0, app.callForObject("getCallHistory").getJSONArray("calls").length())
        assertEquals(0, app.callForObject("getStats").getInt("packetsSent"))
        assertEquals(nothing, app.call("releaseEngine").toString())
        assertEquals(871006, app.fails("isMuted"))
        assertEquals(nothing, app.call("logout").toString())
        assertEquals("loggedOut", app.callForObject("getState").getString("login"))
    }

    @Test
    fun `calls of many, and what comes of each method`() {
        val bob = phone("many-bob")
        val carol = phone("many-carol")
        app = App("many").ready()

        bob.call("startCallUsers", """{"usernames":["many"]}""")
        assertEquals("many-bob", app.expect("CallReceiveInvite").getJSONObject("inviter").getString("username"))
        assertEquals(nothing, app.call("refuse").toString())
        assertEquals("refuse", app.expect("CallDisconnect").getString("reason"))
        listOf("CallOutgoing", "CallMemberLeave", "CallDisconnect").forEach(bob::expect)

        bob.call("startCallUsers", """{"usernames":["many"]}""")
        app.expect("CallReceiveInvite")
        assertEquals(nothing, app.call("accept").toString())
        app.expect("CallConnecting")
        assertEquals("many-bob", app.expect("CallMemberJoin").getString("username"))
        app.expect("CallConnected")
        listOf("CallOutgoing", "CallConnecting", "CallMemberJoin", "CallConnected").forEach(bob::expect)

        bob.call("inviteUsers", """{"usernames":["many-carol"]}""")
        val invited = app.expect("CallOtherUserInvited")
        assertEquals(listOf("many-carol"), invited.names("invitedUsers"))
        assertEquals("many-bob", invited.getJSONObject("fromUser").getString("username"))
        carol.expect("CallReceiveInvite")
        carol.call("refuse")
        assertEquals("refuse", app.expect("CallMemberLeave").getString("reason"))
        carol.expect("CallDisconnect")

        val invitation = app.callForObject("inviteUsers", """{"usernames":["many-carol","nobody-of-this-name"]}""")
        assertEquals("[\"many-carol\"]", invitation.getJSONArray("invited").toString())
        assertEquals(listOf("nobody-of-this-name"), invitation.names("failed"))
        carol.expect("CallReceiveInvite")
        carol.call("accept")
        assertEquals("many-carol", app.expect("CallMemberJoin").getString("username"))
        until({ "sound from somebody" }) { app.callForObject("getStats").getInt("packetsReceived") > 0 }
        assertTrue(app.callForObject("getStats").getInt("packetsSent") > 0)

        assertEquals(nothing, app.call("releaseEngine").toString())
        assertEquals("hangup", app.expect("CallDisconnect").getString("reason"))
        assertEquals(nothing, app.call("logout").toString())
    }

    @Test
    fun `the connection is cut and comes back`() {
        Proxy(Server.url).use { proxy ->
            val bob = phone("cut-bob")
            app = App("cut", serverUrl = proxy.url).ready()
            val session = app.callForObject("startCallUsers", """{"usernames":["cut-bob"]}""")
            bob.expect("CallReceiveInvite")
            bob.call("accept")
            listOf("CallOutgoing", "CallConnecting", "CallMemberJoin", "CallConnected").forEach(app::expect)
            proxy.cut()
            assertEquals(session.getString("channelId"), app.expect("CallReconnecting").getString("channelId"))
            assertEquals(session.getString("channelId"), app.expect("CallReconnected").getString("channelId"))
            app.call("hangup")
            app.expect("CallDisconnect")
        }
    }

    /** What no method can report: the same device signs in somewhere else. */
    @Test
    fun `the device is signed in once more elsewhere`() {
        app = App("twice").ready()
        phone("twice", "--device-id", File(app.context.noBackupFilesDir, "jmrtc-device").readText())
        assertEquals("LOGIN_REJECTED", app.expect("CallError").getString("name"))
        assertEquals(871004, app.fails("initEngine"))
    }

    @Test
    fun `sound that can't be had`() {
        val gone = createTempDirectory().toFile()
        app = App("broken", AudioBackend.Wav(play = "$gone/nothing.wav", record = null, repeat = false))
        app.call("login", """{"token":"${Server.token("broken")}"}""")
        assertEquals(871007, app.fails("initEngine"))
        gone.delete()
    }

    @Test
    fun `what no page should say`() {
        app = App("nonsense").ready()
        assertEquals(871003, app.fails("startCallUsers", "{"))
        assertEquals(871003, app.fails("startCallUsers", "[]"))
        assertEquals(871003, app.fails("startCallUsers", """{"usernames":"bob"}"""))
        assertEquals(871003, app.fails("dance"))
        assertEquals(871003, app.fails("setIsMuted", "\"\\ud800\""))
        // Not even the array that Cordova sends.
        for (args in listOf("", "{", "[", "nonsense", "[{\"usernames\":7}]", "[[[]]]")) {
            val reply = app.answerTo(app.exec("startCallUsers", args))
            assertFalse(reply.ok)
            assertEquals(871003, Failed(reply.text).code, args)
        }
        // An object in place of its text is understood.
        assertTrue(app.answerTo(app.exec("setIsMuted", """[{"muted":true}]""")).ok)
        assertEquals(true, app.call("isMuted"))
        assertTrue(app.answerTo(app.exec("init", "[]")).ok)
        val unknown = app.answerTo(app.exec("init", "[]", service = "JMRTC2"))
        assertEquals(PluginResult.Status.CLASS_NOT_FOUND_EXCEPTION.ordinal, unknown.status)
    }
}
