import android.Manifest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.After
import org.junit.runner.RunWith
import org.robolectric.ParameterizedRobolectricTestRunner
import org.robolectric.ParameterizedRobolectricTestRunner.Parameters
import org.robolectric.Shadows.shadowOf

/** The microphone's permission at `initEngine`. */
@RunWith(ParameterizedRobolectricTestRunner::class)
class PermissionTest(private val framework: Framework) {
    private lateinit var app: App

    @After
    fun end() = app.kill()

    private fun start(user: String, permits: Boolean?) {
        app = App(user, permits = permits, framework = framework)
        app.call("login", """{"token":"${Server.token(user)}"}""")
    }

    @Test
    fun `refused, asked again, granted, and not asked any more`() {
        start("permission-1", permits = false)
        assertEquals(871101, app.fails("initEngine"))
        assertEquals(871101, app.fails("initEngine"))
        assertEquals(871006, app.fails("startCallUsers", """{"usernames":["nobody"]}"""))
        assertEquals(2, app.asked)
        app.permits = true
        app.call("initEngine")
        assertEquals(3, app.asked)
        app.call("releaseEngine")
        app.call("initEngine")
        assertEquals(3, app.asked)
    }

    @Test
    fun `granted beforehand, as in the system's settings`() {
        start("permission-2", permits = false)
        shadowOf(app.window.get().application).grantPermissions(Manifest.permission.RECORD_AUDIO)
        app.call("initEngine")
        assertEquals(0, app.asked)
    }

    @Test
    fun `an Activity that goes away takes the question with it, the next asks anew`() {
        start("permission-3", permits = null)
        app.exec("initEngine", "[null]")
        until({ "the question" }) {
            app.look()
            app.asked == 1
        }
        app.close()
        app.open()
        assertEquals("off", app.callForObject("getState").getString("engine"))
        app.permits = true
        app.call("initEngine")
        assertEquals(2, app.asked)
    }

    @Test
    fun `an Activity that goes away after the next has begun leaves the question to it`() {
        start("permission-4", permits = null)
        app.exec("initEngine", "[null]")
        until({ "the question" }) {
            app.look()
            app.asked == 1
        }
        val endOld = app.handOver()
        val again = app.exec("initEngine", "[null]")
        endOld()
        app.permits = true
        assertTrue(app.answerTo(again).ok)
        assertEquals(2, app.asked)
    }

    companion object {
        @JvmStatic
        @Parameters(name = "{0}")
        fun frameworks() = Framework.entries
    }
}
