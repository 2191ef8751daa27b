import android.Manifest
import android.content.Context
import android.content.pm.PackageManager
import android.os.Looper
import androidx.appcompat.app.AppCompatActivity
import io.github.jmrtc.cordova.CallSession
import io.github.jmrtc.core.AudioBackend
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import org.apache.cordova.CordovaPreferences
import org.json.JSONArray
import org.json.JSONObject
import org.json.JSONTokener
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowActivity

/** Longest wait for anything that must happen. */
const val PATIENCE_MS = 20_000L

/** Waits for what is true at last, with the main thread at work meanwhile. */
fun until(what: () -> String, isTrue: () -> Boolean) {
    val end = System.nanoTime() + PATIENCE_MS * 1_000_000
    while (true) {
        shadowOf(Looper.getMainLooper()).idle()
        if (isTrue()) return
        check(System.nanoTime() < end) { "in vain: ${what()}" }
        Thread.sleep(2)
    }
}

/** The failure callback's value. */
class Failed(val error: String) : Exception(error) {
    val code get() = JSONObject(error).getInt("code")
}

/**
 * An app on a phone, with a real Activity and the real classes of its [framework]. Its person answers the question for the
 * microphone as [permits] says.
 */
class App(
    val user: String,
    audio: AudioBackend = AudioBackend.Silent,
    serverUrl: String = Server.url,
    var permits: Boolean? = true,
    private val framework: Framework = Framework.CORDOVA,
) {
    val context: Context = RuntimeEnvironment.getApplication()
    private val preferences = CordovaPreferences().apply { set("JMRTC_SERVER_URL", serverUrl) }
    private var opened: Pair<ActivityController<AppCompatActivity>, Shell>? = null
    val window get() = opened!!.first
    private val shell get() = opened!!.second
    private var calls = 0
    private val replies = mutableMapOf<String, Arrived>()
    private val methods = mutableMapOf<String, String>()
    private val events = ArrayDeque<JSONObject>()
    private var listening = ""

    /** Replies as `accept` or `accept 871103`, events as their names, in the order in which the page got them. */
    val diary = mutableListOf<String>()

    /** How often the person was asked. */
    var asked = 0

    init {
        CallSession.audio = audio
        open()
    }

    /** A new Activity with its WebView: a start of the app, or what comes after a rotation. */
    fun open() {
        val window = Robolectric.buildActivity(AppCompatActivity::class.java).setup()
        opened = window to framework.open(window.get(), preferences)
        load()
    }

    /** The page is loaded, for the first time or again. */
    fun load() {
        shell.load()
        events.clear()
        replies.clear()
        listening = exec("events", "[]")
    }

    /** The Activity ends, as on rotation or when the person goes back. */
    fun close() {
        ending()()
        opened = null
    }

    /** Another Activity has begun; what ends the one before. */
    fun handOver(): () -> Unit = ending().also { open() }

    private fun ending(): () -> Unit {
        val (oldShell, oldWindow) = shell to window
        return {
            oldShell.webView.handleDestroy()
            oldWindow.pause().stop().destroy()
        }
    }

    /** The person comes back to the app. */
    fun resume() = shell.webView.handleResume(true)

    /** The page calls `exec`; the callback's id. */
    fun exec(method: String, args: String, service: String = "JMRTC"): String {
        val id = "$service${++calls}"
        methods[id] = method
        shell.exec(service, method, args, id)
        return id
    }

    /** Everything that has come for the page. */
    fun look() {
        answerQuestion()
        shell.look().forEach(::arrive)
    }

    private fun arrive(arrived: Arrived) {
        val id = arrived.callbackId
        if (id == listening) {
            check(arrived.ok && arrived.keep) { "the events' callback is over: $arrived" }
            val event = JSONObject(arrived.text)
            // They depend on what is said and on the machine, not on what is done.
            if (event.getString("name") in setOf("CallActiveSpeakers", "CallQuality")) return
            events += event
            diary += event.getString("name")
        } else if (id in methods) {
            check(!arrived.keep && replies.put(id, arrived) == null) { "a second answer: $arrived" }
            val code = if (arrived.ok || !arrived.text.startsWith("{")) "" else " ${Failed(arrived.text).code}"
            diary += methods.getValue(id) + code
        }
    }

    /** The system's question for a permission, if it is there. */
    private fun answerQuestion() {
        val question = shadowOf(window.get()).lastRequestedPermission ?: return
        if (question === answered) return
        answered = question
        asked += 1
        check(question.requestedPermissions.toList() == listOf(Manifest.permission.RECORD_AUDIO))
        answer(question, permits ?: return)
    }

    private var answered: ShadowActivity.PermissionsRequest? = null

    private fun answer(question: ShadowActivity.PermissionsRequest, permit: Boolean) {
        if (permit) shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.RECORD_AUDIO)
        val result = if (permit) PackageManager.PERMISSION_GRANTED else PackageManager.PERMISSION_DENIED
        shell.answer(question.requestCode, question.requestedPermissions, result)
    }

    /** The answer to what [exec] has asked. */
    fun answerTo(id: String): Arrived {
        until({ "$user: an answer to ${methods[id]}; had $diary" }) {
            look()
            id in replies
        }
        return replies.getValue(id)
    }

    /** Calls a method of `window.JMRTC` as www/src/cordova.ts does; its result. */
    fun call(method: String, args: String = "null"): Any? {
        val reply = answerTo(exec(method, JSONArray(listOf(args)).toString()))
        if (!reply.ok) throw Failed(reply.text)
        return JSONTokener(reply.text).nextValue()
    }

    fun callForObject(method: String, args: String = "null") = call(method, args) as JSONObject

    /** Calls a method that must fail; the failure's number. */
    fun fails(method: String, args: String = "null"): Int = try {
        throw AssertionError("$user: $method $args succeeded with ${call(method, args)}")
    } catch (failed: Failed) {
        failed.code
    }

    /** As far as an app is when it waits for calls. */
    fun ready(): App {
        call("login", """{"token":"${Server.token(user)}"}""")
        call("initEngine")
        diary.clear()
        return this
    }

    /** The next event, which must be [name]; its payload. */
    fun expect(name: String): JSONObject {
        until({ "$user: $name; had $diary" }) {
            look()
            events.isNotEmpty()
        }
        val event = events.removeFirst()
        check(event.getString("name") == name) { "$user: ${event.getString("name")} in place of $name: $diary" }
        return event.getJSONObject("payload")
    }

    /** Ends the app's process, as far as this one can. */
    fun kill() {
        val session = CallSession.current ?: return
        CoroutineScope(Dispatchers.Default).launch { session.stop() }
        until({ "the engine's end" }) { CallSession.current == null }
    }
}

fun JSONObject.names(key: String) = getJSONArray(key).let { list -> List(list.length()) { list.getJSONObject(it).getString("username") } }
