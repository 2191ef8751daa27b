import io.github.jmrtc.core.AudioBackend
import io.github.jmrtc.core.Engine
import io.github.jmrtc.core.EngineConfig
import io.github.jmrtc.core.PlatformAction
import io.github.jmrtc.core.StartException
import io.github.jmrtc.core.version
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject

const val NETWORK = 871001
const val INVALID_STATE = 871002
const val INVALID_PARAMETER = 871003
const val NOT_LOGGED_IN = 871004
const val LOGIN_REJECTED = 871005
const val NOT_INITIALIZED = 871006
const val ENGINE_FAILED = 871007
const val ALREADY_IN_CALL = 871008
const val PERMISSION_DENIED = 871101
const val USER_UNAVAILABLE = 871102

/** Every method with its good and bad answers; what needs a call is in [CallTest]. */
class MethodsTest {
    private val nothing = JsonObject(emptyMap())

    @Test
    fun `each method answers, and keeps its order`() = runBlocking {
        App("ivan").use { app ->
            assertEquals(nothing, app.call("init"))
            assertEquals(NOT_LOGGED_IN, app.fails("initEngine"))
            assertEquals(NOT_LOGGED_IN, app.fails("updateToken", """{"token":"x"}"""))
            assertEquals(INVALID_PARAMETER, app.fails("login"))
            assertEquals(INVALID_PARAMETER, app.fails("login", """{"token":7}"""))
            assertEquals(LOGIN_REJECTED, app.fails("login", """{"token":"a.b.c"}"""))
            assertEquals(Json.parseToJsonElement("""{"username":"ivan","appKey":"e2e"}"""), app.login())

            assertEquals(NOT_INITIALIZED, app.fails("startCallUsers", """{"usernames":["echo"]}"""))
            assertEquals(NOT_INITIALIZED, app.fails("isMuted"))
            assertEquals(JsonNull, app.call("initEngine"))
            assertEquals(JsonNull, app.call("initEngine"))
            app.action<PlatformAction.RequestMicrophone>()

            for (method in listOf("Muted" to "muted", "SpeakerphoneEnabled" to "speakerphoneEnabled")) {
                val (name, key) = method
                assertEquals(JsonPrimitive(false), app.call("is$name"))
                assertEquals(nothing, app.call("setIs$name", """{"$key":true}"""))
                assertEquals(JsonPrimitive(true), app.call("is$name"))
                assertEquals(INVALID_PARAMETER, app.fails("setIs$name", """{"$key":"yes"}"""))
                assertEquals(JsonPrimitive(true), app.call("getState").jsonObject[key])
            }

            for (args in listOf("", "[]", "{}", """{"usernames":[]}""", """{"usernames":["ivan"]}""", """{"usernames":[7]}""", "{")) {
                assertEquals(INVALID_PARAMETER, app.fails("startCallUsers", args), args)
            }
            assertEquals(USER_UNAVAILABLE, app.fails("startCallUsers", """{"usernames":["nobody"]}"""))
            assertEquals(INVALID_STATE, app.fails("accept"))
            assertEquals(INVALID_STATE, app.fails("refuse"))
            assertEquals(INVALID_STATE, app.fails("inviteUsers", """{"usernames":["echo"]}"""))
            assertEquals(nothing, app.call("hangup"))
            assertEquals(INVALID_PARAMETER, app.fails("dance"))
            assertEquals(nothing, app.call("updateToken", """{"token":"${Server.token("ivan")}"}"""))

            assertEquals("Ivan I.", app.call("updateMyInfo", """{"nickname":"Ivan I."}""").jsonObject.text("nickname"))
            val echo = app.call("updateRelation", """{"username":"echo","noteName":"Parrot"}""").jsonObject
            assertEquals("Parrot", echo.text("noteName"))
            val info = app.call("getUserInfo", """{"usernames":["ivan","nobody"]}""").jsonObject
            assertEquals(listOf(1, 1), listOf("users", "failed").map { info.getValue(it).jsonArray.size })
            assertEquals(Json.parseToJsonElement("""{"calls":[],"more":false}"""), app.call("getCallHistory"))
            assertEquals(INVALID_PARAMETER, app.fails("updateRelation", """{"username":"ivan"}"""))
            assertEquals(INVALID_PARAMETER, app.fails("getCallHistory", """{"limit":0}"""))

            // Many at once are answered in the order in which they were asked.
            app.diary.clear()
            (1..200).map { async { app.call("isMuted") } }.awaitAll()
            assertEquals(200, app.diary.size)

            assertEquals(nothing, app.call("releaseEngine"))
            assertEquals(NOT_INITIALIZED, app.fails("isMuted"))
            assertEquals(nothing, app.call("logout"))
            assertEquals(NOT_LOGGED_IN, app.fails("initEngine"))
            assertEquals("loggedOut", app.call("getState").jsonObject.text("login"))
            app.stop()
        }
    }

    @Test
    fun `a refused microphone fails initEngine, and is asked for again`() = runBlocking {
        App("judy", microphone = false).use { app ->
            app.login()
            assertEquals(PERMISSION_DENIED, app.fails("initEngine"))
            app.action<PlatformAction.RequestMicrophone>()
            assertEquals(PERMISSION_DENIED, app.fails("initEngine"))
            app.action<PlatformAction.RequestMicrophone>()
            app.stop()
        }
    }

    @Test
    fun `sound that can't be had fails initEngine`() = runBlocking {
        App("kim", AudioBackend.Wav(play = "/does/not/exist.wav", record = null, repeat = false)).use { app ->
            app.login()
            assertEquals(ENGINE_FAILED, app.fails("initEngine"))
            app.stop()
        }
    }

    @Test
    fun `a server that is not there`() = runBlocking {
        App("leo").use { app ->
            assertEquals(NETWORK, app.fails("login", """{"token":"x","serverUrl":"http://127.0.0.1:9"}"""))
            app.stop()
        }
    }

    @Test
    fun `after the end nothing is taken on and nothing comes`() = runBlocking {
        App("mia").use { app ->
            app.ready()
            app.stop()
            app.stop()
            assertFalse(app.engine.command("1", "isMuted", ""))
            assertNull(app.engine.nextMessage())
            assertNull(app.engine.nextPlatformAction())
        }
    }

    @Test
    fun `a bad config is refused`() {
        val long = "x".repeat(129)
        for (id in listOf("", long)) {
            assertFailsWith<StartException.Config> { Engine.start(EngineConfig(deviceId = id, audio = AudioBackend.Silent)) }
        }
        assertFailsWith<StartException.System> {
            Engine.start(EngineConfig(deviceId = "x", audio = AudioBackend.Silent, transcriptPath = "/does/not/exist/transcript")).close()
        }
        assertTrue(Regex("""\d+\.\d+\.\d+""").matches(version()))
    }
}
