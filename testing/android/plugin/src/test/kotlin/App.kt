import android.Manifest
import android.app.Activity
import android.content.Context
import android.content.pm.PackageManager
import android.os.Looper
import android.view.View
import androidx.appcompat.app.AppCompatActivity
import io.github.jmrtc.cordova.CallSession
import io.github.jmrtc.cordova.JmrtcPlugin
import io.github.jmrtc.core.AudioBackend
import java.lang.reflect.Proxy
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import org.apache.cordova.CordovaBridge
import org.apache.cordova.CordovaInterfaceImpl
import org.apache.cordova.CordovaPreferences
import org.apache.cordova.CordovaWebView
import org.apache.cordova.CordovaWebViewEngine
import org.apache.cordova.CordovaWebViewImpl
import org.apache.cordova.NativeToJsMessageQueue
import org.apache.cordova.PluginEntry
import org.apache.cordova.PluginManager
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

/** What came for the page: `ok` or not, whether more may come, for which callback, the text. */
data class Arrived(val ok: Boolean, val keep: Boolean, val status: Int, val callbackId: String, val text: String)

/**
 * An app on a phone: real Activity, plugin manager, message queue and bridge of CordovaLib; only the browser is played, by
 * the words that cordova.js says to the bridge. Its person answers the question for the microphone as [permits] says.
 */
class App(val user: String, audio: AudioBackend = AudioBackend.Silent, serverUrl: String = Server.url, var permits: Boolean? = true) {
    val context: Context = RuntimeEnvironment.getApplication()
    private val preferences = CordovaPreferences().apply { set("JMRTC_SERVER_URL", serverUrl) }
    lateinit var window: ActivityController<AppCompatActivity>
    private lateinit var view: BrowserPlayed
    private lateinit var cordova: CordovaInterfaceImpl
    private lateinit var webView: CordovaWebViewImpl
    private lateinit var bridge: CordovaBridge
    private var secret = -1
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
        window = Robolectric.buildActivity(AppCompatActivity::class.java).setup()
        cordova = CordovaInterfaceImpl(window.get())
        view = BrowserPlayed(window.get())
        webView = CordovaWebViewImpl(view.engine)
        webView.init(cordova, listOf(PluginEntry("JMRTC", JmrtcPlugin::class.java.name, false)), preferences)
        load()
    }

    /** The page is loaded, for the first time or again. */
    fun load() {
        view.client.onPageStarted(PAGE)
        bridge.reset()
        secret = bridge.promptOnJsPrompt(PAGE, "", "gap_init:0").toInt()
        events.clear()
        replies.clear()
        listening = exec("events", "[]")
    }

    /** The Activity ends, as on rotation or when the person goes back. */
    fun close() = ending()()

    /** Another Activity has begun; what ends the one before. */
    fun handOver(): () -> Unit = ending().also { open() }

    private fun ending(): () -> Unit {
        val (oldWebView, oldWindow) = webView to window
        return {
            oldWebView.handleDestroy()
            oldWindow.pause().stop().destroy()
        }
    }

    /** Says to the bridge what cordova.js does; the callback's id. */
    fun exec(method: String, args: String, service: String = "JMRTC"): String {
        val id = "$service${++calls}"
        methods[id] = method
        take(bridge.promptOnJsPrompt(PAGE, args, "gap:[$secret,\"$service\",\"$method\",\"$id\"]"))
        return id
    }

    /** Everything that has come for the page. */
    fun look() {
        answerQuestion()
        take(bridge.promptOnJsPrompt(PAGE, "0", "gap_poll:$secret"))
    }

    private fun take(encoded: String) {
        var rest = encoded.trim()
        while (rest.isNotEmpty() && rest != "*") {
            val length = rest.substringBefore(' ')
            val message = rest.substring(length.length + 1, length.length + 1 + length.toInt())
            arrive(message)
            rest = rest.substring(length.length + 1 + length.toInt())
        }
    }

    private fun arrive(message: String) {
        val (head, id) = message.split(' ', limit = 3)
        val payload = message.substring(head.length + id.length + 2)
        check(payload.startsWith("s")) { "no text: $message" }
        val arrived = Arrived(head[0] == 'S', head[1] == '1', head.substring(2).toInt(), id, payload.substring(1))
        if (id == listening) {
            check(arrived.ok && arrived.keep) { "the events' callback is over: $message" }
            val event = JSONObject(arrived.text)
            // How it sounds depends on the machine that the test runs on.
            if (event.getString("name") == "CallQuality") return
            events += event
            diary += event.getString("name")
        } else if (id in methods) {
            check(!arrived.keep && replies.put(id, arrived) == null) { "a second answer: $message" }
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
        val permit = permits ?: return
        answer(question.requestCode, if (permit) PackageManager.PERMISSION_GRANTED else PackageManager.PERMISSION_DENIED)
    }

    private var answered: ShadowActivity.PermissionsRequest? = null

    private fun answer(request: Int, result: Int) {
        if (result ==
            PackageManager.PERMISSION_GRANTED
        ) {
            shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.RECORD_AUDIO)
        }
        cordova.onRequestPermissionsResult(request, arrayOf(Manifest.permission.RECORD_AUDIO), intArrayOf(result))
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
        val stopping = CoroutineScope(Dispatchers.Default).launch { session.stop() }
        until({ "the engine's end" }) { stopping.isCompleted }
    }

    /** All that the plugin may touch of a browser. */
    private inner class BrowserPlayed(activity: Activity) :
        View(activity),
        CordovaWebViewEngine.EngineView {
        lateinit var client: CordovaWebViewEngine.Client
        val engine = Proxy.newProxyInstance(javaClass.classLoader, arrayOf(CordovaWebViewEngine::class.java)) { _, called, args ->
            when (called.name) {
                "init" -> {
                    client = args[2] as CordovaWebViewEngine.Client
                    bridge = CordovaBridge(args[4] as PluginManager, args[5] as NativeToJsMessageQueue)
                    null
                }
                "getView" -> this
                "loadUrl", "destroy", "setPaused" -> null
                else -> error("the plugin wants ${called.name} of the browser")
            }
        } as CordovaWebViewEngine

        override fun getCordovaWebView(): CordovaWebView = webView
    }

    private companion object {
        const val PAGE = "https://localhost/index.html"
    }
}

fun JSONObject.names(key: String) = getJSONArray(key).let { list -> List(list.length()) { list.getJSONObject(it).getString("username") } }
