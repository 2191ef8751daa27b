import android.app.Activity
import android.view.View
import android.webkit.ValueCallback
import android.webkit.WebView
import androidx.appcompat.app.AppCompatActivity
import com.getcapacitor.cordova.MockCordovaInterfaceImpl
import com.getcapacitor.cordova.MockCordovaWebViewImpl
import io.github.jmrtc.cordova.JmrtcPlugin
import java.lang.reflect.Proxy
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.Executors
import org.apache.cordova.CordovaBridge
import org.apache.cordova.CordovaInterfaceImpl
import org.apache.cordova.CordovaPreferences
import org.apache.cordova.CordovaWebView
import org.apache.cordova.CordovaWebViewEngine
import org.apache.cordova.CordovaWebViewImpl
import org.apache.cordova.NativeToJsMessageQueue
import org.apache.cordova.PluginEntry
import org.apache.cordova.PluginManager
import org.json.JSONTokener

/** What came for the page: `ok` or not, whether more may come, for which callback, the text. */
data class Arrived(val ok: Boolean, val keep: Boolean, val status: Int, val callbackId: String, val text: String)

/** What stands between plugin and page in one Activity: the framework's own classes; only the browser is played. */
interface Shell {
    val webView: CordovaWebView

    /** The page is loaded, for the first time or again. */
    fun load()

    /** The page calls `exec`. */
    fun exec(service: String, method: String, args: String, callbackId: String)

    /** Everything that has come for the page. */
    fun look(): List<Arrived>

    /** The person has answered the system's question. */
    fun answer(request: Int, permissions: Array<String>, result: Int)
}

enum class Framework(val open: (AppCompatActivity, CordovaPreferences) -> Shell) {
    CORDOVA(::CordovaShell),
    CAPACITOR(::CapacitorShell),
}

private val plugins = listOf(PluginEntry("JMRTC", JmrtcPlugin::class.java.name, false))

/** The page speaks to the bridge in the words of cordova.js. */
class CordovaShell(activity: AppCompatActivity, preferences: CordovaPreferences) : Shell {
    private lateinit var client: CordovaWebViewEngine.Client
    private lateinit var bridge: CordovaBridge
    private var secret = -1
    private val arrived = mutableListOf<Arrived>()
    private val cordova = CordovaInterfaceImpl(activity)
    private val view = BrowserPlayed(activity)
    override val webView = CordovaWebViewImpl(view.engine)

    init {
        webView.init(cordova, plugins, preferences)
    }

    override fun load() {
        client.onPageStarted(PAGE)
        bridge.reset()
        arrived.clear()
        secret = bridge.promptOnJsPrompt(PAGE, "", "gap_init:0").toInt()
    }

    override fun exec(service: String, method: String, args: String, callbackId: String) =
        take(bridge.promptOnJsPrompt(PAGE, args, "gap:[$secret,\"$service\",\"$method\",\"$callbackId\"]"))

    override fun look(): List<Arrived> {
        take(bridge.promptOnJsPrompt(PAGE, "0", "gap_poll:$secret"))
        return arrived.toList().also { arrived.clear() }
    }

    override fun answer(request: Int, permissions: Array<String>, result: Int) =
        cordova.onRequestPermissionsResult(request, permissions, intArrayOf(result))

    private fun take(encoded: String) {
        var rest = encoded.trim()
        while (rest.isNotEmpty() && rest != "*") {
            val length = rest.substringBefore(' ')
            val message = rest.substring(length.length + 1, length.length + 1 + length.toInt())
            val (head, id) = message.split(' ', limit = 3)
            val payload = message.substring(head.length + id.length + 2)
            check(payload.startsWith("s")) { "no text: $message" }
            arrived += Arrived(head[0] == 'S', head[1] == '1', head.substring(2).toInt(), id, payload.substring(1))
            rest = rest.substring(length.length + 1 + length.toInt())
        }
    }

    /** All that the plugin may touch of a browser. */
    private inner class BrowserPlayed(activity: Activity) :
        View(activity),
        CordovaWebViewEngine.EngineView {
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

/** In the order of Capacitor's `Bridge`, which tells a plugin of Cordova's nothing when the page is loaded again. */
class CapacitorShell(activity: AppCompatActivity, preferences: CordovaPreferences) : Shell {
    private val cordova = MockCordovaInterfaceImpl(activity)
    private val scripts = ConcurrentLinkedQueue<String>()
    private val browser = object : WebView(activity) {
        override fun evaluateJavascript(script: String, result: ValueCallback<String>?) {
            scripts += script
        }
    }
    private val pluginThread = Executors.newSingleThreadExecutor()
    override val webView = MockCordovaWebViewImpl(activity.applicationContext)

    init {
        webView.init(cordova, plugins, preferences, browser)
        cordova.onCordovaInit(webView.pluginManager)
    }

    override fun load() = scripts.clear()

    override fun exec(service: String, method: String, args: String, callbackId: String) =
        pluginThread.submit { webView.pluginManager.exec(service, method, callbackId, args) }.get().let { }

    override fun look(): List<Arrived> = generateSequence(scripts::poll).flatMap(::results).toList()

    override fun answer(request: Int, permissions: Array<String>, result: Int) =
        check(cordova.handlePermissionResult(request, permissions, intArrayOf(result))) { "nobody has asked" }

    private fun results(script: String): Sequence<Arrived> {
        check(RESULT.findAll(script).count() == script.split("callbackFromNative").size - 1) { "no text: $script" }
        return RESULT.findAll(script).map { found ->
            val (id, ok, status) = found.destructured
            val (text, keep) = found.groupValues.takeLast(2)
            Arrived(ok.toBoolean(), keep.toBoolean(), status.toInt(), id, JSONTokener(text).nextValue() as String)
        }
    }

    private companion object {
        val RESULT = Regex("""cordova\.callbackFromNative\('(.*?)',(true|false),(\d+),\[("(?:[^"\\]++|\\.)*+")],(true|false)\);""")
    }
}
